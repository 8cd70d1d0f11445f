"""Times the spectra of other people's models as they came, and written out by `earlet adopt`.

Each spectrum as a graph of waveform -> ln |X|^2, 4 s of white noise, run in turn on one thread: the
ratio of the least CPU times (`parity.speed` says why not of medians). Errors are those of the
complex spectrum, largest of all bins, as a share of its largest magnitude, against float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from parity.signals import SAMPLES
from parity.speed import FLOOR, least

from earlet.timing import interleave
from earlet_export.foreign.spectra import write_out_spectra
from earlet_export.run import Runner

Kind = Literal["STFT", "DFT", "convolution"]
# What torch.stft, torchaudio (400 samples by default), librosa and hand-written ones come with.
FOUND: tuple[tuple[Kind, int, int], ...] = (
    ("STFT", 512, 160),
    ("STFT", 1024, 256),
    ("STFT", 2048, 512),
    ("STFT", 400, 160),
    ("STFT", 400, 200),
    ("STFT", 320, 160),
    ("STFT", 441, 160),
    ("DFT", 512, 160),
    ("DFT", 400, 160),
    ("convolution", 512, 160),
    ("convolution", 1024, 320),
)


@dataclass(frozen=True, kw_only=True)
class WrittenOut:
    """One spectrum. `time`: written out to as it came; errors are shares of the largest bin."""

    kind: Kind
    n_fft: int
    hop_samples: int
    time: float
    error_before: float
    error_after: float


def written_out(
    found: Sequence[tuple[Kind, int, int]] = FOUND, *, rounds: int = 21
) -> list[WrittenOut]:
    """-> one row a spectrum."""
    return [_measured(*one, rounds=rounds) for one in found]


def _measured(kind: Kind, n_fft: int, hop: int, *, rounds: int) -> WrittenOut:
    sound = 0.1 * np.random.default_rng(0).standard_normal((1, SAMPLES)).astype(np.float32)
    before = _graph(kind, n_fft, hop)
    written = write_out_spectra(before, {"x": sound}, source=kind)
    assert written.count == 1
    runs = {"before": Runner.of(before), "after": Runner.of(written.model)}
    times = interleave({name: partial(run, sound) for name, run in runs.items()}, rounds=rounds)
    meant = _by_definition(sound, n_fft, hop)
    errors = {
        name: float(np.abs(run.all(sound)[1].astype(np.float64) - meant).max())
        / float(np.abs(meant).max())
        for name, run in runs.items()
    }
    return WrittenOut(
        kind=kind,
        n_fft=n_fft,
        hop_samples=hop,
        time=least(times["after"], times["before"]),
        error_before=errors["before"],
        error_after=errors["after"],
    )


def _by_definition(sound: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float64]:
    """Sound [1, T] -> [1, N, bins, 2]."""
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), n_fft, axis=1)
    spectrum = np.fft.rfft(frames[:, ::hop] * _taper(n_fft))
    return np.stack([spectrum.real, spectrum.imag], axis=-1)


def _taper(n_fft: int) -> NDArray[np.float32]:
    return np.hanning(n_fft + 1)[:-1].astype(np.float32)


def _graph(kind: Kind, n_fft: int, hop: int) -> onnx.ModelProto:
    """`x` [B, T] -> `log` [B, N, bins], `spectrum` [B, N, bins, 2]."""
    bins, frames = n_fft // 2 + 1, (SAMPLES - n_fft) // hop + 1
    constants: dict[str, NDArray[Any]] = {
        "floor": np.array(FLOOR, np.float32),
        "last": np.array([-1]),
        "hop": np.array(hop),
        "size": np.array(n_fft),
        "taper": _taper(n_fft),
    }
    node = helper.make_node
    if kind == "STFT":
        made = [
            node("Unsqueeze", ["x", "last"], ["x3"]),
            node("STFT", ["x3", "hop", "taper", "size"], ["spectrum"]),
        ]
    elif kind == "DFT":
        constants["places"] = hop * np.arange(frames)[:, None] + np.arange(n_fft)
        made = [
            node("Gather", ["x", "places"], ["frames"], axis=1),
            node("Mul", ["frames", "taper"], ["tapered"]),
            node("Unsqueeze", ["tapered", "last"], ["x4"]),
            node("DFT", ["x4"], ["spectrum"], axis=2, onesided=1),
        ]
    else:
        angle = -2j * np.pi / n_fft * np.outer(np.arange(bins), np.arange(n_fft))
        waves = np.exp(angle) * _taper(n_fft)
        kernels = np.concatenate([waves.real, waves.imag])[:, None]
        constants |= {
            "one": np.array([1]),
            "kernels": kernels.astype(np.float32),
            "parts": np.array([0, 2, bins, -1]),
        }
        made = [
            node("Unsqueeze", ["x", "one"], ["x3"]),
            node("Conv", ["x3", "kernels"], ["rows"], strides=[hop]),
            node("Reshape", ["rows", "parts"], ["both"]),
            node("Transpose", ["both"], ["spectrum"], perm=[0, 3, 2, 1]),
        ]
    made += [
        node("Mul", ["spectrum", "spectrum"], ["squares"]),
        node("ReduceSum", ["squares", "last"], ["power"], keepdims=0),
        node("Clip", ["power", "floor"], ["clipped"]),
        node("Log", ["clipped"], ["log"]),
    ]
    graph = helper.make_graph(
        made,
        "spectrum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", SAMPLES])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("log", "spectrum")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
