"""A real small detector, built with onnx alone, and the bundle folder around it.

The network is written twice: as an ONNX graph here, and in numpy float64 (`answers`), which plays
the part of the PyTorch original: golden answers come from it, never from the graph under test.
"""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet.bundle import sha256
from earlet.golden import GoldenRecord, digest, signals
from earlet.manifest import (
    METADATA_KEY,
    PRECISION_KEY,
    Calibration,
    Golden,
    Graph,
    Manifest,
    OperatingPoint,
    Provenance,
    WindowPolicy,
)

RATE_HZ = 16_000
TAPS, STRIDE = 32, 16
POLICY = WindowPolicy(window_samples=8000, hop_samples=4000, min_samples=1600)

Array = NDArray[np.float64]


def filters() -> NDArray[np.float32]:
    """[4, TAPS]: windowed cosines at 500, 1500, 4500 and 6500 Hz."""
    n = np.arange(TAPS)
    hz = np.array([500, 1500, 4500, 6500])[:, None]
    return (np.hanning(TAPS) * np.cos(2 * np.pi * hz * n / RATE_HZ) / 8).astype(np.float32)


# Logits: bonafide hears the two low bands, synthetic the two high ones.
MIX = np.array([[200, 200, 0, 0], [0, 0, 200, 200]], dtype=np.float32)


def answers(waveforms: NDArray[np.float32], kernels: Array | None = None) -> Array:
    """Waveforms [B, T] -> logits [B, 2], in float64: the original that the graphs must match."""
    kernels = filters().astype(np.float64) if kernels is None else kernels
    frames = np.lib.stride_tricks.sliding_window_view(waveforms.astype(np.float64), TAPS, axis=1)[
        :, ::STRIDE
    ]
    logits: Array = np.abs(frames @ kernels.T).mean(axis=1) @ MIX.T.astype(np.float64)
    return logits


def build_graph(
    *, quantized: bool = False, metadata: dict[str, str] | None = None, gain: float = 1.0
) -> bytes:
    """waveform [B, T] -> Conv -> |.| -> mean -> MatMul -> logits [B, 2], as ONNX bytes.

    `quantized` stores the filters in seven bits with one scale each, as the int8 export does.
    """
    kernels = filters()[:, None, :] * np.float32(gain)
    initializers = [
        numpy_helper.from_array(MIX.T.copy(), "mix"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "one"),
    ]
    nodes = [helper.make_node("Unsqueeze", ["waveform", "one"], ["x"])]
    if quantized:
        scale = np.abs(kernels).max(axis=(1, 2)) / 63
        whole = np.rint(kernels / scale[:, None, None]).astype(np.int8)
        initializers += [
            numpy_helper.from_array(whole, "w8"),
            numpy_helper.from_array(scale.astype(np.float32), "scale"),
            numpy_helper.from_array(np.zeros(len(scale), dtype=np.int8), "zero"),
        ]
        nodes.append(helper.make_node("DequantizeLinear", ["w8", "scale", "zero"], ["w"], axis=0))
    else:
        initializers.append(numpy_helper.from_array(kernels, "w"))
    nodes += [
        helper.make_node("Conv", ["x", "w"], ["bands"], strides=[STRIDE]),
        helper.make_node("Abs", ["bands"], ["loud"]),
        helper.make_node("ReduceMean", ["loud", "two"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "mix"], ["logits"]),
    ]
    initializers.append(numpy_helper.from_array(np.array([2], dtype=np.int64), "two"))
    return as_bytes(
        nodes,
        inputs=[helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["B", "T"])],
        outputs=[helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 2])],
        initializers=initializers,
        metadata=metadata,
    )


def as_bytes(
    nodes: list[onnx.NodeProto],
    *,
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: list[onnx.TensorProto] | None = None,
    metadata: dict[str, str] | None = None,
) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers or [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def golden_record(policy: WindowPolicy) -> GoldenRecord:
    waves = signals(window=policy, sample_rate_hz=RATE_HZ)
    stacked = np.stack(list(waves.values()))
    return GoldenRecord(
        names=tuple(waves),
        logits=answers(stacked).astype(np.float32),
        feature_summary=np.stack([stacked.mean(axis=1), stacked.std(axis=1)], axis=1),
        signals_sha256=digest(waves),
    )


def plain_manifest(policy: WindowPolicy = POLICY) -> Manifest:
    graph = Graph(
        file="fp32.onnx", sha256="", size_bytes=0, max_abs_logit=1e-6, decision_flips=0, decisions=9
    )
    return Manifest(
        name="bands",
        version="0.1.0",
        labels=("bonafide", "synthetic"),
        positive="synthetic",
        sample_rate_hz=RATE_HZ,
        window=policy,
        threshold=0.25,
        operating_point=OperatingPoint(
            name="equal error", data="nine tones", miss_rate=0.1, false_alarm_rate=0.1
        ),
        graphs={"fp32": graph, "int8": dataclasses.replace(graph, file="int8.onnx")},
        default_precision="int8",
        golden=Golden(file="golden.npz", sha256="", tolerances={"fp32": 1e-4, "int8": 2.0}),
        provenance=Provenance(
            recipe="bands",
            checkpoint_sha256="0" * 64,
            training_data="nine tones",
            versions={"earlet": "0.1.0"},
            created="2026-01-01T00:00:00Z",
        ),
        calibration=Calibration(scale=0.5, offset=0.125),
    )


def write_bundle(
    folder: Path, *, policy: WindowPolicy = POLICY, manifest: Manifest | None = None
) -> Path:
    """A whole bundle folder, as the export writes it: embedded manifests, hashes, golden, card."""
    folder.mkdir(parents=True)
    manifest = manifest or plain_manifest(policy)
    inside = manifest.without_hashes().to_json()
    graphs = {}
    for name, graph in manifest.graphs.items():
        data = build_graph(
            quantized=name == "int8", metadata={METADATA_KEY: inside, PRECISION_KEY: name}
        )
        (folder / graph.file).write_bytes(data)
        graphs[name] = dataclasses.replace(graph, sha256=sha256(data), size_bytes=len(data))
    golden = golden_record(policy).to_bytes()
    (folder / "golden.npz").write_bytes(golden)
    (folder / "card.md").write_text("# bands\n\nHears high bands.\n", encoding="utf-8")
    written = dataclasses.replace(
        manifest,
        graphs=graphs,
        golden=dataclasses.replace(manifest.golden, sha256=sha256(golden)),
        files={"card.md": sha256((folder / "card.md").read_bytes())},
    )
    (folder / "manifest.json").write_text(written.to_json(), encoding="utf-8")
    return folder


def make_tone(hz: float, *, seconds: float = 1.0, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    n = np.arange(round(seconds * rate_hz))
    return (0.5 * np.sin(2 * np.pi * hz * n / rate_hz)).astype(np.float32)


@pytest.fixture(scope="session")
def shared_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle folder to read, never to change."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "bands")


@pytest.fixture
def own_bundle(shared_bundle: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(shared_bundle, tmp_path / "own"))


@pytest.fixture
def manifest() -> Manifest:
    return plain_manifest()


@pytest.fixture
def write_any_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle with a policy or manifest of the test's own."""

    def write(**changes: object) -> Path:
        return write_bundle(tmp_path / "bundle", **changes)  # type: ignore[arg-type]

    return write


@pytest.fixture
def graph_bytes() -> Callable[..., bytes]:
    """Builds graphs, whole (`build_graph`)."""
    return build_graph


@pytest.fixture
def any_graph() -> Callable[..., bytes]:
    """Builds graphs from nodes (`as_bytes`)."""
    return as_bytes


@pytest.fixture
def original() -> Callable[[NDArray[np.float32]], Array]:
    """The numpy original of the graphs."""
    return answers


@pytest.fixture
def tone() -> Callable[..., NDArray[np.float32]]:
    """`tone(hz, seconds=1, rate_hz=16000)`: human where low, synthetic from 4 kHz on."""
    return make_tone


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sound file and gives its path."""

    def write(
        name: str, samples: NDArray[np.generic], rate_hz: int = RATE_HZ, subtype: str = "PCM_16"
    ) -> Path:
        path = tmp_path / name
        soundfile.write(path, samples, rate_hz, subtype=subtype)
        return path

    return write


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A labelled tree of 24 tones in the eval split: low ones bona fide, high ones spoofed."""
    root = tmp_path / "corpus"
    audio = root / "TONES_eval" / "flac"
    audio.mkdir(parents=True)
    rows = []
    for i in range(24):
        spoof = i % 3 == 0
        hz = (4300 if spoof else 450) + 60 * i
        samples = make_tone(hz, seconds=0.3 + 0.05 * i)
        soundfile.write(audio / f"E{i:03d}.flac", samples, RATE_HZ)
        key = f"A{i % 2 + 1:02d} spoof" if spoof else "- bonafide"
        rows.append(f"S{i % 4} E{i:03d} - {key}")
    protocols = root / "TONES_cm_protocols"
    protocols.mkdir()
    text = "\n".join(rows) + "\n"
    (protocols / "TONES.cm.eval.trl.txt").write_text(text, encoding="utf-8")
    return root
