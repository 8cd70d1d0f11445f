"""One graph behind a strict door: what it must look like, and that threads change nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from earlet.errors import AudioError, BundleError, UsageError
from earlet.session import Session

Build = Callable[..., bytes]


@pytest.fixture
def noise() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(0, 0.1, (5, 8000)).astype(np.float32)


def test_a_graph_answers_as_its_original(
    graph_bytes: Build, original: Callable[[Any], Any], noise: Any
) -> None:
    logits = Session(graph_bytes(), source="g").logits(noise)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, original(noise), atol=1e-4)


@pytest.mark.parametrize("quantized", [False, True])
def test_neither_batch_nor_threads_change_a_bit(
    graph_bytes: Build, noise: Any, quantized: bool
) -> None:
    data = graph_bytes(quantized=quantized)
    one = Session(data, source="g", threads=1)
    together = one.logits(noise)
    np.testing.assert_array_equal(Session(data, source="g", threads=2).logits(noise), together)
    alone = np.concatenate([one.logits(wave[None]) for wave in noise])
    np.testing.assert_array_equal(alone, together)


def test_threads_may_share_a_session(graph_bytes: Build, noise: Any) -> None:
    session = Session(graph_bytes(), source="g")
    expected = session.logits(noise)
    with ThreadPoolExecutor(4) as pool:
        for logits in pool.map(session.logits, [noise] * 20):
            np.testing.assert_array_equal(logits, expected)


def test_it_runs_on_the_processor_alone_with_one_thread_that_sleeps_when_idle(
    graph_bytes: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    real = onnxruntime.InferenceSession

    def spy(model: bytes, *, sess_options: Any, providers: list[str]) -> Any:
        seen.update(options=sess_options, providers=providers)
        return real(model, sess_options=sess_options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", spy)
    Session(graph_bytes(), source="g")
    options = seen["options"]
    assert seen["providers"] == ["CPUExecutionProvider"]
    assert options.intra_op_num_threads == 1
    for pool in ("intra_op", "inter_op"):
        assert options.get_session_config_entry(f"session.{pool}.allow_spinning") == "0"


def test_metadata_comes_along(graph_bytes: Build) -> None:
    session = Session(graph_bytes(metadata={"earlet.manifest": "{}"}), source="g")
    assert session.metadata["earlet.manifest"] == "{}"
    assert session.window_samples is None
    assert session.classes == 2


def identity(any_graph: Build, **changes: Any) -> bytes:
    """A graph that only copies, with one end other than the contract has it."""
    ends: dict[str, Any] = {
        "input": "waveform",
        "output": "logits",
        "type": TensorProto.FLOAT,
        "shape": [1, 4],
    }
    ends |= changes
    node = helper.make_node("Identity", [ends["input"]], [ends["output"]])
    return any_graph(
        [node],
        inputs=[helper.make_tensor_value_info(ends["input"], ends["type"], ends["shape"])],
        outputs=[helper.make_tensor_value_info(ends["output"], ends["type"], ends["shape"])],
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"input": "audio"},
        {"output": "scores"},
        {"type": TensorProto.DOUBLE},
        {"shape": [1, 1, 4]},
    ],
)
def test_a_graph_with_other_ends_is_refused(any_graph: Build, changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match="make one with earlet export"):
        Session(identity(any_graph, **changes), source="g.onnx")


def test_two_inputs_are_refused(any_graph: Build) -> None:
    value = helper.make_tensor_value_info
    ends = [value(name, TensorProto.FLOAT, [1, 4]) for name in ("waveform", "more", "logits")]
    data = any_graph(
        [helper.make_node("Add", ["waveform", "more"], ["logits"])],
        inputs=ends[:2],
        outputs=ends[2:],
    )
    with pytest.raises(BundleError, match=r"has inputs waveform .*, more "):
        Session(data, source="g.onnx")


def test_what_is_no_model_is_refused_by_name() -> None:
    with pytest.raises(BundleError, match=r"g\.onnx is not a whole ONNX model"):
        Session(b"not a model", source="g.onnx")


def test_an_operator_that_nobody_knows_is_refused_by_name() -> None:
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("waveform", "y")]
    graph = helper.make_graph(
        [helper.make_node("Divine", ["waveform"], ["y"])], "g", ends[:1], ends[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    with pytest.raises(BundleError, match=r"g\.onnx is not a model that onnxruntime .*Divine"):
        Session(model.SerializeToString(), source="g.onnx")


def test_another_length_than_the_graph_takes_is_refused(any_graph: Build) -> None:
    session = Session(identity(any_graph), source="g.onnx")
    assert session.window_samples == 4
    with pytest.raises(AudioError, match="windows of 4 samples, found 5"):
        session.logits(np.zeros((1, 5), dtype=np.float32))
    with pytest.raises(AudioError, match=r"\[B, T\]"):
        session.logits(np.zeros(4, dtype=np.float32))


def test_a_graph_that_fails_is_named(graph_bytes: Build) -> None:
    session = Session(graph_bytes(), source="g.onnx")
    with pytest.raises(BundleError, match=r"g\.onnx failed on waveforms \(1, 3\)"):
        session.logits(np.zeros((1, 3), dtype=np.float32))


def test_a_graph_that_folds_the_batch_is_refused(any_graph: Build) -> None:
    shape = numpy_helper.from_array(np.array([1, -1], dtype=np.int64), "shape")
    data = any_graph(
        [helper.make_node("Reshape", ["waveform", "shape"], ["logits"])],
        inputs=[helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["B", 4])],
        outputs=[helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["A", "K"])],
        initializers=[shape],
    )
    with pytest.raises(BundleError, match=r"answered 2 waveforms with shape \(1, 8\)"):
        Session(data, source="g.onnx").logits(np.zeros((2, 4), dtype=np.float32))


def test_no_threads_at_all_are_refused(graph_bytes: Build) -> None:
    with pytest.raises(UsageError, match="at least 1, found 0"):
        Session(graph_bytes(), source="g", threads=0)
