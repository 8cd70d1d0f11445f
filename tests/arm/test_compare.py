"""What passes as the same on another machine, and what does not; what is missing is said."""

from pathlib import Path

import numpy as np
import pytest
from arm.compare import INT8, Floats, Row, compare
from arm.cut import Step, model_alone, step_of
from arm.machines import MACHINES, Place
from onnx import TensorProto, helper, load_model_from_string

from earlet.bundle import find

STEP = Step(scale=0.5, zero=128, low=0, high=255)
WEIGHTS = np.array([[1.0], [2.0]], dtype=np.float32)


def judged(features: Floats, logits: Floats, model: Floats) -> Row:
    """Another machine's answers against those of an int8 model: round, then multiply."""

    def home(heard: Floats) -> Floats:
        return ((STEP.integers(heard) - STEP.zero) @ WEIGHTS * 0.5).astype(np.float32)

    heard = np.array([[1.0, 2.0], [0.24, 0.0]], dtype=np.float32)
    mine = {"int8/features": heard, "int8/logits": home(heard), "int8/model": home(heard)}
    there = {"int8/features": features, "int8/logits": logits, "int8/model": model}
    return compare("B", INT8, home=mine, there=there, step=STEP, model_at_home=home)


SAME = np.array([[1.0, 2.0], [0.24, 0.0]], dtype=np.float32)
MOVED = np.array([[1.0, 2.0], [0.26, 0.0]], dtype=np.float32)
ANSWER = np.array([[5.0], [0.0]], dtype=np.float32)
MOVED_ANSWER = np.array([[5.0], [0.5]], dtype=np.float32)


def test_equal_bits_are_as_promised() -> None:
    row = judged(SAME, ANSWER, ANSWER)
    assert (row.logits, row.model, row.moved, row.broken()) == (0, 0, 0, [])


def test_a_feature_on_another_step_explains_other_logits() -> None:
    row = judged(MOVED, MOVED_ANSWER, ANSWER)
    assert (row.moved, row.furthest, row.explained, row.broken()) == (1, 1, True, [])


def test_other_logits_from_the_same_features_are_not_explained() -> None:
    assert "do not explain" in judged(SAME, MOVED_ANSWER, ANSWER).broken()[0]


def test_the_last_bit_of_the_model_alone_breaks_the_promise() -> None:
    model = np.nextafter(ANSWER, np.float32(9), dtype=np.float32)
    assert "model alone" in judged(MOVED, MOVED_ANSWER, model).broken()[0]


def test_a_number_that_is_not_finite_breaks_the_promise() -> None:
    assert "not finite" in judged(SAME, ANSWER * np.float32(np.nan), ANSWER).broken()[0]


def test_the_shipped_model_x() -> None:
    bundle = find(None)
    data, _ = bundle.graph(INT8)
    graph = load_model_from_string(data)
    step = step_of(graph)
    assert step is not None
    assert step.scale > 0
    cut = model_alone(graph, shape=())
    assert cut is not None
    assert [value.name for value in cut.graph.input] == ["features"]
    assert all(not node.name.startswith("frontend/") for node in cut.graph.node)


def test_a_graph_without_a_seam_is_not_cut() -> None:
    node = helper.make_node("Identity", ["waveform"], ["logits"])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])
        for name in ("waveform", "logits")
    ]
    graph = helper.make_model(helper.make_graph([node], "whole", ends[:1], ends[1:]))
    assert model_alone(graph, shape=(4,)) is None
    assert step_of(graph) is None


def test_an_empty_folder_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lacks = Place(folder=tmp_path).missing(MACHINES[1])
    assert lacks == ["qemu-aarch64", "a Python for 64-bit Arm", "onnxruntime for 64-bit Arm"]
