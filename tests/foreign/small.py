"""Foreign models, small: written node by node, in the shapes that others' detectors come in.

Windowed cosines, their log power, a layer, the mean over time, one layer. `batched` hears a whole
window; `with_memory` a piece behind a little of the one before, and keeps a leaky sum.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet_export.foreign.spec import Spec, parse_spec
from earlet_export.foreign.wrapped import Wrapped
from earlet_export.join import join
from earlet_export.run import Runner

Array = NDArray[np.float32]

RATE_HZ, T, BANDS, STEP = 16_000, 4_000, 8, 100
PIECE, CONTEXT = 500, 100

HEAD = """
name = "foreign"
version = "1"
description = "Tells high sounds from low ones."
licence = "MIT"
training_data = "None: its filters are written by hand."
labels = ["low", "high"]
positive = "high"

[data]
sample_rate_hz = 16000
window_samples = 4000
hop_samples = 2000
min_samples = 1000
short = "zero"
"""

MEMORY = """
[chunks]
samples = 500
context = 100
pool = "{pool}"
[chunks.states]
h = "h_next"
[output]
means = "probability"
name = "answer"
"""


def spec(text: str = '[output]\nmeans = "log-odds"\n') -> Spec:
    return parse_spec(HEAD + text, source="m.toml")


def batched(**changes: Any) -> onnx.ModelProto:
    given: dict[str, Any] = {"inputs": {"x3": (TensorProto.FLOAT, ["B", 1, T])}}
    return model(
        [*body(), helper.make_node("Identity", ["value"], ["answer"])],
        weights(),
        **{**given, **changes},
    )


def with_memory(*, batch: Any = "B") -> onnx.ModelProto:
    """Pieces of 500 samples behind 100 of the one before; a leaky sum as memory."""
    constants = weights() | {
        "leak": np.array(0.8, dtype=np.float32),
        "zero": np.array([0], dtype=np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["x", "one"], ["x3"]),
        *body(end="now"),
        node("Squeeze", ["h", "zero"], ["h1"]),
        node("Mul", ["h1", "leak"], ["faded"]),
        node("Add", ["faded", "now"], ["value"]),
        node("Unsqueeze", ["value", "zero"], ["h_next"]),
        node("Sigmoid", ["value"], ["answer"]),
    ]
    return model(
        nodes,
        constants,
        inputs={"x": (1, [batch, PIECE + CONTEXT]), "h": (1, [1, batch, 1])},
        outputs=("answer", "h_next"),
    )


def agree(wrapped: Wrapped, *, exact: float = 1e-5) -> Array:
    """The joined graph against the original, for one window and for several at once."""
    run = Runner.of(join(wrapped.cut.traced.frontend, wrapped.cut.traced.model))
    windows = sound()
    expected = wrapped.logits(windows)
    np.testing.assert_allclose(run(windows), expected, atol=exact)
    np.testing.assert_allclose(run(windows[:1]), expected[:1], atol=exact)
    away = wrapped.away_from_the_file(windows)
    assert away < 1e-6, f"the rewritten model is {away} away from the file"
    return expected


def sound(windows: int = 4) -> Array:
    rng = np.random.default_rng(1)
    return (0.3 * rng.normal(size=(windows, T))).clip(-1, 1).astype(np.float32)


def weights(outputs: int = 1) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(4)
    return {
        "dft": filters(),
        "two": np.array(2.0, dtype=np.float32),
        "floor": np.array(1e-6, dtype=np.float32),
        "w1": rng.normal(0, 0.3, (16, BANDS, 3)).astype(np.float32),
        "w2": rng.normal(0, 0.3, (16, outputs)).astype(np.float32),
        "axis": np.array([2], dtype=np.int64),
        "one": np.array([1], dtype=np.int64),
    }


def filters() -> Array:
    """[BANDS, 1, STEP]: windowed cosines."""
    n = np.arange(STEP)
    hz = np.linspace(300, 7000, BANDS)[:, None]
    made = np.hanning(STEP) * np.cos(2 * np.pi * hz * n / RATE_HZ) / 8
    return made[:, None].astype(np.float32)


def body(x: str = "x3", *, end: str = "value") -> list[onnx.NodeProto]:
    """[B, 1, T] -> filters, log power, a layer, the mean over time, one layer -> [B, outputs]."""
    node = helper.make_node
    return [
        node("Conv", [x, "dft"], ["bands"], strides=[STEP // 2], name="filters"),
        node("Pow", ["bands", "two"], ["power"]),
        node("Max", ["power", "floor"], ["floored"]),
        node("Log", ["floored"], ["log"]),
        node("Conv", ["log", "w1"], ["c1"], pads=[1, 1], name="conv"),
        node("Relu", ["c1"], ["r1"]),
        node("ReduceMean", ["r1", "axis"], ["m"], keepdims=0),
        node("MatMul", ["m", "w2"], [end], name="last"),
    ]


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]],
    *,
    inputs: Mapping[str, tuple[int, Sequence[Any]]],
    outputs: Sequence[str] = ("answer",),
    opset: int = 18,
) -> onnx.ModelProto:
    made = helper.make_model(
        helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info(n, k, s) for n, (k, s) in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            [numpy_helper.from_array(v, n) for n, v in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    return made
