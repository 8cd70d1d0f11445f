"""Means one axis at a time: the same numbers where they are exact, far better ones where not."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet_export.passes.mean_in_steps import mean_in_steps
from earlet_export.run import Runner

Array = NDArray[np.float32]


def graph(axes: list[int] | None, *, keepdims: int) -> onnx.ModelProto:
    """x [B, C, F, N] -> its mean; axes None: over everything, which is stored nowhere."""
    constants = [] if axes is None else [numpy_helper.from_array(np.array(axes), "axes")]
    inputs = ["x"] if axes is None else ["x", "axes"]
    value, rank = helper.make_tensor_value_info, 4 if keepdims else 4 - len(axes or [])
    made = helper.make_graph(
        [helper.make_node("ReduceMean", inputs, ["y"], "mean", keepdims=keepdims)],
        "g",
        [value("x", TensorProto.FLOAT, ["B", 3, "F", "N"])],
        [value("y", TensorProto.FLOAT, [None] * rank)],
        constants,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[2, 3], [3, 2], [-1, -2], [-2, -1], [1, 3], [1, 2, 3], [-3, -1]])
def test_the_mean_over_several_axes_comes_out_the_same(axes: list[int], keepdims: int) -> None:
    model = graph(axes, keepdims=keepdims)
    stepped = mean_in_steps(model)
    onnx.checker.check_model(stepped, full_check=True)
    assert [node.op_type for node in stepped.graph.node] == ["ReduceMean"] * len(axes)
    assert stepped.graph.node[0].name == "mean"
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 7)).astype(np.float32)
    found, wanted = Runner.of(stepped)(x), Runner.of(model)(x)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("axes", [[3], [-1], [-1, 2], None])
def test_one_axis_mixed_ends_or_axes_that_are_not_stored_stay(axes: list[int] | None) -> None:
    model = graph(axes, keepdims=1)
    assert mean_in_steps(model) == model


def test_a_long_map_of_one_value_keeps_its_digits() -> None:
    x = np.full((1, 3, 60, 1332), 0.1234567, dtype=np.float32)
    x += np.linspace(0, 1, 3, dtype=np.float32)[:, None, None]
    model = graph([2, 3], keepdims=0)
    exact = x.astype(np.float64).mean(axis=(2, 3))

    def off(made: onnx.ModelProto) -> float:
        return float(np.abs(Runner.of(made)(x) / exact - 1).max())

    assert off(mean_in_steps(model)) < 5e-6 < 2e-5 < off(model)


def test_the_graph_that_came_in_is_left_alone() -> None:
    model = graph([2, 3], keepdims=1)
    before = model.SerializeToString()
    mean_in_steps(model)
    assert model.SerializeToString() == before
