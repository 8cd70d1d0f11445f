"""Small detectors that stream: an offline graph, its streaming twin, and the bundle around both.

Frames of 32 samples every 16, four filters, their size, a filter over three frames, and the mean
over a window. The twin keeps the last samples, the last two frames, and a window of what came out.

`Shape` bends them: `late` frames of delay that the twin has more than it needs (less where it is
negative: the offline graph then leaves as many frames at the end of its window unused), states in
bytes, a fixed batch, an answer that depends on how many are in the run.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet.bundle import sha256
from earlet.golden import GoldenRecord, digest, signals
from earlet.manifest import (
    METADATA_KEY,
    PRECISION_KEY,
    Golden,
    Graph,
    Manifest,
    OperatingPoint,
    Provenance,
    WindowPolicy,
)
from earlet.session import Session
from earlet.streaming import State, StreamGraph, Streaming

RATE_HZ = 8_000
WINDOW, CHUNK = 4000, 768
TAPS, STRIDE, BANDS = 32, 16, 4
FRAMES = (WINDOW - TAPS) // STRIDE + 1
# One step of the byte state, and the byte that means zero.
STEP, ZERO = 1 / 200, 3
POLICY = WindowPolicy(window_samples=WINDOW, hop_samples=2000, min_samples=800)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shape:
    """How the pair of graphs is made; see the module."""

    late: int = 0
    in_bytes: bool = False
    batch: int | str = "B"
    company_tells: bool = False

    @property
    def steps(self) -> int:
        """Frames that the mean is over."""
        return FRAMES - 2 + min(self.late, 0)

    @property
    def streaming(self) -> tuple[int, int]:
        """(lead_samples, warmup_chunks)."""
        heard = WINDOW + STRIDE * self.late
        chunks = -(-heard // CHUNK)
        return chunks * CHUNK - heard, chunks - 1


def offline(shape: Shape, metadata: dict[str, str] | None = None) -> bytes:
    """Waveform [B, T] -> logits [B, 2]."""
    nodes = _frames("waveform", shape)
    nodes += _cut("out", "used", axis=2, begin=0, end=shape.steps)
    nodes += _head("used", shape)
    return _model(
        nodes,
        inputs=[_value("waveform", ["B", "T"])],
        outputs=[_value("logits", ["B", 2])],
        metadata=metadata,
    )


def streaming(shape: Shape, metadata: dict[str, str] | None = None) -> bytes:
    """The twin: waveform [B, CHUNK] and states -> logits and states."""
    ring_type = TensorProto.UINT8 if shape.in_bytes else TensorProto.FLOAT
    nodes = [helper.make_node("Concat", ["tail", "waveform"], ["sound"], axis=1)]
    nodes += _cut("sound", "tail.next", axis=1, begin=-(TAPS - STRIDE), end=1 << 60)
    nodes += [*_sizes("sound", shape), helper.make_node("Concat", ["two", "size"], ["row"], axis=2)]
    nodes += _cut("row", "two.next", axis=2, begin=-2, end=1 << 60)
    nodes += _over_time("row", "new")
    if shape.in_bytes:
        nodes.append(helper.make_node("QuantizeLinear", ["new", "step", "zero"], ["new8"]))
    new = "new8" if shape.in_bytes else "new"
    nodes.append(helper.make_node("Concat", ["ring", new], ["long"], axis=2))
    length = shape.steps + max(shape.late, 0)
    nodes += _cut("long", "ring.next", axis=2, begin=-length, end=1 << 60)
    nodes += _cut("ring.next", "kept", axis=2, begin=0, end=shape.steps)
    if shape.in_bytes:
        nodes.append(helper.make_node("DequantizeLinear", ["kept", "step", "zero"], ["used"]))
    else:
        nodes.append(helper.make_node("Identity", ["kept"], ["used"]))
    nodes += _head("used", shape)
    b = shape.batch
    ends = {
        "tail": _value("tail", [b, TAPS - STRIDE]),
        "two": _value("two", [b, BANDS, 2]),
        "ring": _value("ring", [b, BANDS, length], ring_type),
    }
    inputs = [_value("waveform", [b, CHUNK]), *ends.values()]
    after = [_value(f"{n}.next", [b, *s.shape], _ONNX[s.dtype]) for n, s in _by_name(shape).items()]
    return _model(
        nodes, inputs=inputs, outputs=[_value("logits", [b, 2]), *after], metadata=metadata
    )


def states(shape: Shape) -> tuple[State, ...]:
    """What the manifest says of the twin's states."""
    length = shape.steps + max(shape.late, 0)
    return (
        State(name="tail", shape=(TAPS - STRIDE,), dtype="float32"),
        State(name="two", shape=(BANDS, 2), dtype="float32"),
        State(
            name="ring",
            shape=(BANDS, length),
            dtype="uint8" if shape.in_bytes else "float32",
            initial=float(ZERO) if shape.in_bytes else 0.0,
        ),
    )


def manifest(shape: Shape | None = None, **changes: Any) -> Manifest:
    """Of a bundle that streams; `shape` None: of one that does not."""
    lead, warmup = (shape or Shape()).streaming
    stream = Streaming(
        chunk_samples=CHUNK,
        lead_samples=lead,
        warmup_chunks=warmup,
        graphs={
            "fp32": StreamGraph(
                file="fp32.stream.onnx",
                sha256="",
                size_bytes=0,
                states=states(shape or Shape()),
                max_abs_logit=1e-6,
                windows=9,
            )
        },
    )
    plain = Manifest(
        name="small",
        version="1",
        labels=("human", "machine"),
        positive="machine",
        sample_rate_hz=RATE_HZ,
        window=POLICY,
        threshold=-0.2,
        operating_point=OperatingPoint(
            name="none", data="none", miss_rate=0.0, false_alarm_rate=0.0
        ),
        graphs={
            "fp32": Graph(
                file="fp32.onnx",
                sha256="",
                size_bytes=0,
                max_abs_logit=0.0,
                decision_flips=0,
                decisions=1,
            )
        },
        default_precision="fp32",
        golden=Golden(file="golden.npz", sha256="", tolerances={"fp32": 1e-4}),
        provenance=Provenance(
            recipe="small", checkpoint_sha256="0" * 64, training_data="", versions={}, created=""
        ),
        stream=None if shape is None else stream,
    )
    return dataclasses.replace(plain, **changes)


def write(
    folder: Path, shape: Shape | None = None, *, twin: bytes | None = None, **changes: Any
) -> Path:
    """The whole bundle folder. `twin`: another streaming graph than the one of that shape."""
    folder.mkdir(parents=True)
    said = manifest(shape, **changes)
    inside = {METADATA_KEY: said.without_hashes().to_json(), PRECISION_KEY: "fp32"}
    graph = _written(folder, said.graphs["fp32"], offline(shape or Shape(), inside))
    stream = said.stream
    if stream is not None:
        data = streaming(shape or Shape(), inside) if twin is None else with_metadata(twin, inside)
        stream = dataclasses.replace(
            stream, graphs={"fp32": _written(folder, stream.graphs["fp32"], data)}
        )
    golden = _golden(folder / graph.file, said.window)
    (folder / "golden.npz").write_bytes(golden)
    written = dataclasses.replace(
        said,
        graphs={"fp32": graph},
        stream=stream,
        golden=dataclasses.replace(said.golden, sha256=sha256(golden)),
    )
    (folder / "manifest.json").write_text(written.to_json(), encoding="utf-8")
    return folder


def speech(seconds: float, *, rate_hz: int = RATE_HZ, seed: int = 0) -> NDArray[np.float32]:
    """Noise whose level and colour wander, with pauses: no two windows of it alike."""
    rng = np.random.default_rng(seed)
    samples = round(seconds * rate_hz)
    steps = np.interp(
        np.linspace(0, 1, samples),
        np.linspace(0, 1, 4 + round(8 * seconds)),
        np.clip(rng.normal(0.1, 0.15, 4 + round(8 * seconds)), 0, 1),
    )
    noise = rng.uniform(-1, 1, samples)
    low = np.convolve(noise, np.ones(4) / 4, mode="same")
    mixed = np.where(np.arange(samples) // (rate_hz // 2) % 2, noise, low)
    return np.asarray(steps * mixed, dtype=np.float32)


def with_metadata(model: bytes, metadata: dict[str, str]) -> bytes:
    """The same graph with other things said inside."""
    loaded = onnx.load_model_from_string(model)
    del loaded.metadata_props[:]
    for key, value in metadata.items():
        loaded.metadata_props.add(key=key, value=value)
    data: bytes = loaded.SerializeToString()
    return data


_ONNX = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8}


def _by_name(shape: Shape) -> dict[str, State]:
    return {state.name: state for state in states(shape)}


def _written(folder: Path, graph: Any, data: bytes) -> Any:
    (folder / graph.file).write_bytes(data)
    return dataclasses.replace(graph, sha256=sha256(data), size_bytes=len(data))


def _golden(model: Path, policy: WindowPolicy) -> bytes:
    waves = signals(window=policy, sample_rate_hz=RATE_HZ)
    stacked = np.stack(list(waves.values()))
    session = Session(model.read_bytes(), source="golden")
    record = GoldenRecord(
        names=tuple(waves),
        logits=np.concatenate([session.logits(wave[None]) for wave in stacked]),
        feature_summary=np.stack([stacked.mean(axis=1), stacked.std(axis=1)], axis=1),
        signals_sha256=digest(waves),
    )
    return record.to_bytes()


def _value(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _cut(source: str, to: str, *, axis: int, begin: int, end: int) -> list[Any]:
    numbers = {"from": begin, "to": end, "on": axis}
    made = [
        helper.make_node(
            "Constant", [], [f"{to}:{k}"], value=numpy_helper.from_array(np.array([v], np.int64))
        )
        for k, v in numbers.items()
    ]
    return [*made, helper.make_node("Slice", [source, *(f"{to}:{k}" for k in numbers)], [to])]


def _sizes(sound: str, shape: Shape) -> list[Any]:
    """Sound [B, T] -> size [B, BANDS, frames]."""
    return [
        helper.make_node("Unsqueeze", [sound, "one"], ["x"]),
        helper.make_node("Conv", ["x", "filters"], ["bands"], strides=[STRIDE]),
        helper.make_node("Abs", ["bands"], ["size"]),
    ]


def _over_time(source: str, to: str) -> list[Any]:
    return [
        helper.make_node("Conv", [source, "over"], [f"{to}:raw"]),
        helper.make_node("Relu", [f"{to}:raw"], [to]),
    ]


def _frames(sound: str, shape: Shape) -> list[Any]:
    nodes = [*_sizes(sound, shape), *_over_time("size", "new")]
    if not shape.in_bytes:
        return [*nodes, helper.make_node("Identity", ["new"], ["out"])]
    return [
        *nodes,
        helper.make_node("QuantizeLinear", ["new", "step", "zero"], ["new8"]),
        helper.make_node("DequantizeLinear", ["new8", "step", "zero"], ["out"]),
    ]


def _head(used: str, shape: Shape) -> list[Any]:
    """Used [B, BANDS, steps] -> logits [B, 2], added up in a way that no company changes."""
    last = "plain" if shape.company_tells else "logits"
    nodes = [
        helper.make_node("ReduceMean", [used, "two_axis"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["tall"]),
        helper.make_node("Mul", ["tall", "mix"], ["parts"]),
        helper.make_node("ReduceSum", ["parts", "two_axis"], [last], keepdims=0),
    ]
    if shape.company_tells:
        nodes += [
            helper.make_node("Shape", ["mean"], ["count"], start=0, end=1),
            helper.make_node("Cast", ["count"], ["crowd"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["crowd", "tiny"], ["whisper"]),
            helper.make_node("Add", ["plain", "whisper"], ["logits"]),
        ]
    return nodes


def _model(
    nodes: list[Any], *, inputs: list[Any], outputs: list[Any], metadata: dict[str, str] | None
) -> bytes:
    n = np.arange(TAPS)
    hz = np.array([300, 900, 2000, 3300])[:, None]
    filters = np.hanning(TAPS) * np.cos(2 * np.pi * hz * n / RATE_HZ) / 8
    over = np.random.default_rng(1).normal(0, 0.3, (BANDS, BANDS, 3)) + 0.2
    weights: dict[str, Any] = {
        "filters": filters[:, None].astype(np.float32),
        "over": over.astype(np.float32),
        "mix": np.array([[[9, 5, -3, 1], [-4, 2, 8, 7]]], np.float32),
        "one": np.array([1], np.int64),
        "two_axis": np.array([2], np.int64),
        "step": np.array(STEP, np.float32),
        "zero": np.array(ZERO, np.uint8),
        "tiny": np.array(1e-4, np.float32),
    }
    used = {name for node in nodes for name in node.input}
    initializers = [numpy_helper.from_array(v, k) for k, v in weights.items() if k in used]
    graph = helper.make_graph(nodes, "small", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
