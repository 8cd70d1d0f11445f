"""Rounding before moving numbers about: the same integers, and the features stay what they were."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet_export.round_early import round_early
from earlet_export.run import Runner


def graph(scale: float | NDArray[np.float64], *, also: str = "") -> onnx.ModelProto:
    """features [B, 3, 4] -> transposed, flattened -> rounded; `also`: an output more."""
    scales = np.asarray(scale, np.float32)
    constants: dict[str, NDArray[Any]] = {
        "scale": scales,
        "zero": np.full(scales.shape, 7, np.uint8),
        "shape": np.array([0, -1], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["features"], ["turned"], "Transpose", perm=[0, 2, 1]),
        helper.make_node("Reshape", ["turned", "shape"], ["flat"], "Reshape"),
        helper.make_node("QuantizeLinear", ["flat", "scale", "zero"], ["q"], "Q", axis=1),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["out"], "DQ", axis=1),
    ]
    ends = [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["B", 12])]
    if also:
        ends.append(helper.make_tensor_value_info(also, TensorProto.FLOAT, None))
    made = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", 3, 4])],
        ends,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def order(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_integers_are_made_first_and_are_the_same() -> None:
    late = graph(0.11)
    early = round_early(late)
    assert order(early) == ["QuantizeLinear", "Transpose", "Reshape", "DequantizeLinear"]
    onnx.checker.check_model(early, full_check=True)
    features = np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(Runner.of(early)(features), Runner.of(late)(features))


def test_a_scale_for_each_place_stays_where_its_places_are() -> None:
    late = graph(np.linspace(0.1, 0.2, 12))
    assert order(round_early(late)) == order(late)


def test_what_others_read_too_is_not_rounded() -> None:
    late = graph(0.11, also="flat")
    assert order(round_early(late)) == order(late)
    half_way = round_early(graph(0.11, also="turned"))
    assert order(half_way) == ["Transpose", "QuantizeLinear", "Reshape", "DequantizeLinear"]
