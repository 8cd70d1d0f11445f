"""Replays what the model hears: the features of the golden signals, on a machine without onnx.

Where a graph answers wrongly, the first question is whether its frontend or its model does. A graph
keeps the tensor between the two under the name `features`; it only has to be made an output. In
protocol buffers two messages in a row are one message with the fields of both, so the declaration
of one more output, appended to the file's bytes in memory, is all that this takes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.bundle import Bundle
from earlet.errors import BundleError
from earlet.golden import GoldenRecord
from earlet.session import open_graph
from earlet.windows import Waveform

FEATURES = "features"
# Of the mean and the spread of one signal's features, against the original's: 1e-3 of the spread
# (a frontend in float strays by 1e-6, one in eight bits by whole spreads on quiet signals) and
# 1e-5 of the mean, where a constant has no spread.
SHARE_OF_SPREAD, SHARE_OF_MEAN = 1e-3, 1e-5


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """How far a graph's features are from the original's, by their mean and spread.

    `worst`: the largest difference, in units of what is allowed (1 = just so), on `worst_signal`;
    infinite where a feature is not finite.
    """

    precision: str
    signals: int
    worst: float
    worst_signal: str

    @property
    def ok(self) -> bool:
        """Whether the frontend hears what the original's heard."""
        return self.worst <= 1


def hear_again(
    bundle: Bundle,
    precision: str,
    *,
    record: GoldenRecord,
    waves: dict[str, Waveform],
    threads: int,
) -> Hearing | None:
    """The golden signals `waves` through one graph's frontend; None where it has no seam.

    A graph that was not made of a frontend and a model (an adopted one) has none.
    """
    data, _ = bundle.graph(precision)
    try:
        session = open_graph(with_features(data), source=f"{precision} graph", threads=threads)
    except BundleError:
        # The file itself was opened before: what is missing is the tensor.
        return None
    away = []
    for wave, said in zip(waves.values(), record.feature_summary, strict=True):
        (heard,) = session.run([FEATURES], {"waveform": wave[None]})
        away.append(_distance(heard, said.astype(np.float64)))
    worst = int(np.argmax(away))
    return Hearing(
        precision=precision,
        signals=len(away),
        worst=away[worst],
        worst_signal=record.names[worst],
    )


def with_features(model: bytes) -> bytes:
    """An ONNX file -> the same with the tensor `features` among its outputs.

    Field numbers of onnx.proto: ModelProto.graph 7, GraphProto.output 12, ValueInfoProto.name 1 and
    .type 2, TypeProto.tensor_type 1, Tensor.elem_type 1 = FLOAT 1.
    """
    tensor = b"\x08\x01"
    value = _field(1, FEATURES.encode()) + _field(2, _field(1, tensor))
    return model + _field(7, _field(12, value))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field; all of them here are shorter than 128 bytes."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def _distance(features: NDArray[np.float32], said: NDArray[np.float64]) -> float:
    """Features of one signal, the original's (mean, spread) -> largest share of what is allowed."""
    if not np.isfinite(features).all():
        return float("inf")
    found = np.array([features.mean(dtype=np.float64), features.std(dtype=np.float64)])
    allowed = SHARE_OF_SPREAD * said[1] + SHARE_OF_MEAN * abs(said[0]) + 1e-7
    return float(np.abs(found - said).max() / allowed)
