"""The features depth of the golden replay: which half of a graph answers otherwise."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from earlet.bundle import Bundle, sha256
from earlet.cli import run
from earlet.golden import signals
from earlet.hearing import with_features
from earlet.manifest import METADATA_KEY, PRECISION_KEY, Manifest
from earlet.replay import replay_features
from earlet.session import open_graph

STRIDE = 40
GAIN = np.array([[0.5, -0.5], [0.25, 0.75]], dtype=np.float32)


def graph(manifest: Manifest, precision: str, *, floor: float) -> bytes:
    """waveform -> log power of every 40th sample -> `features` [B, 2, N] -> mean -> logits."""
    samples = manifest.window.window_samples // STRIDE * STRIDE
    nodes = [
        helper.make_node("Slice", ["waveform", "zero", "end", "one"], ["cut"]),
        helper.make_node("Reshape", ["cut", "shape"], ["rows"]),
        helper.make_node("Slice", ["rows", "zero", "two", "last"], ["pair"]),
        helper.make_node("Mul", ["pair", "pair"], ["power"]),
        helper.make_node("Clip", ["power", "floor"], ["clipped"]),
        helper.make_node("Log", ["clipped"], ["log"]),
        helper.make_node("Transpose", ["log"], ["features"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["features", "last"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "gain"], ["logits"]),
    ]
    constants = {
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "last": np.array([2]),
        "end": np.array([samples]),
        "shape": np.array([-1, samples // STRIDE, STRIDE]),
        "floor": np.array(floor, dtype=np.float32),
        "gain": GAIN,
    }
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "seamed",
            [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["B", "T"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 2])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    model.metadata_props.add(key=METADATA_KEY, value=manifest.without_hashes().to_json())
    model.metadata_props.add(key=PRECISION_KEY, value=precision)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def seamed(write_any_bundle: Callable[..., Path], manifest: Manifest) -> Callable[..., Path]:
    """`seamed(int8_floor=1e-3)`: graphs with a seam; int8's frontend may have another floor.

    Golden logits are far off on purpose where a test asks so: the features have their own depth.
    """

    def write(*, int8_floor: float = 1e-10) -> Path:
        loose = dataclasses.replace(manifest.golden, tolerances={"fp32": 1e6, "int8": 1e6})
        plain = dataclasses.replace(manifest, golden=loose)
        folder = write_any_bundle(manifest=plain)
        waves = signals(window=plain.window, sample_rate_hz=plain.sample_rate_hz)
        record = Bundle.open(folder).golden()
        exact = [features_in_numpy(wave, plain) for wave in waves.values()]
        summary = np.array([[f.mean(), f.std()] for f in exact], dtype=np.float32)
        golden = dataclasses.replace(record, feature_summary=summary).to_bytes()
        (folder / "golden.npz").write_bytes(golden)
        graphs = {}
        for name, floor in (("fp32", 1e-10), ("int8", int8_floor)):
            data = graph(plain, name, floor=floor)
            (folder / f"{name}.onnx").write_bytes(data)
            graphs[name] = dataclasses.replace(
                plain.graphs[name], sha256=sha256(data), size_bytes=len(data)
            )
        listed = dataclasses.replace(
            Bundle.open(folder).manifest,
            graphs=graphs,
            golden=dataclasses.replace(loose, sha256=sha256(golden)),
        )
        (folder / "manifest.json").write_text(listed.to_json(), encoding="utf-8")
        return folder

    return write


def features_in_numpy(wave: np.ndarray, manifest: Manifest) -> np.ndarray:
    """The original: the same in float64."""
    samples = manifest.window.window_samples // STRIDE * STRIDE
    pair = wave[:samples].astype(np.float64).reshape(-1, STRIDE)[:, :2]
    found: np.ndarray = np.log(np.clip(pair**2, 1e-10, None))
    return found


def test_a_float_frontend_hears_what_the_original_heard(seamed: Callable[..., Path]) -> None:
    bundle = Bundle.open(seamed())
    for precision in ("fp32", "int8"):
        found = replay_features(bundle, precision)
        assert found is not None
        assert found.ok
        assert found.worst < 0.1
        assert found.signals == 17


def test_a_frontend_with_another_floor_is_named_and_leaves_with_1(
    seamed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = seamed(int8_floor=1e-6)
    found = replay_features(Bundle.open(folder), "int8")
    assert found is not None
    assert not found.ok
    assert found.worst_signal == "silence"
    assert run(["verify", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "the int8 graph hears other features than the original did, most on 'silence'" in out
    assert "the fp32 graph hears what the original heard" in out


def test_features_that_are_not_finite_are_never_close(seamed: Callable[..., Path]) -> None:
    found = replay_features(Bundle.open(seamed(int8_floor=0.0)), "int8")
    assert found is not None
    assert not found.ok
    assert found.worst == np.inf


def test_a_graph_without_a_seam_is_not_asked(shared_bundle: Path) -> None:
    assert replay_features(Bundle.open(shared_bundle), "fp32") is None


def test_one_more_output_is_all_that_the_file_gains(manifest: Manifest) -> None:
    data = graph(manifest, "fp32", floor=1e-10)
    changed = onnx.load_model_from_string(with_features(data))
    assert [v.name for v in changed.graph.output] == ["logits", "features"]
    del changed.graph.output[1]
    assert changed.SerializeToString() == onnx.load_model_from_string(data).SerializeToString()
    session = open_graph(with_features(data), source="test", threads=1)
    wave = np.zeros((1, manifest.window.window_samples), dtype=np.float32)
    logits, features = session.run(["logits", "features"], {"waveform": wave})
    assert features.shape == (1, 2, manifest.window.window_samples // STRIDE)
    np.testing.assert_allclose(logits, features.mean(axis=2) @ GAIN, rtol=1e-5)
