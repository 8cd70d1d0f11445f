"""The sums behind the last integers, in double: the same answers, in whatever order they add up."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet_export.double_tail import double_tail
from earlet_export.quantize import layers, observe, quantize
from earlet_export.run import Runner, one_by_one
from earlet_export.trace import Traced

Array = NDArray[np.float32]


def tail(order: list[int], weights: Array) -> onnx.ModelProto:
    """Integers -> a layer that reads them in the given order: what another processor would do."""
    channels = len(order)
    constants = {
        "scale": np.float32(0.0371),
        "zero": np.uint8(3),
        "axes": np.array([2], np.int64),
        "order": np.array(order, np.int64),
        "weight": weights[:, order],
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["features", "scale", "zero"], ["q"], "Q"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["x"], "DQ"),
        helper.make_node("Gather", ["x", "order"], ["shuffled"], "Gather", axis=1),
        helper.make_node("ReduceMean", ["shuffled", "axes"], ["mean"], "ReduceMean", keepdims=0),
        helper.make_node("Gemm", ["mean", "weight"], ["logits"], "Gemm", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", channels, 50])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", len(weights)])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_the_order_of_the_sum_changes_float_and_not_the_double_tail() -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((5, 96)).astype(np.float32)
    features = rng.uniform(0, 9, (64, 96, 50)).astype(np.float32)
    orders = [list(rng.permutation(96)) for _ in range(6)]
    graphs = [tail(order, weights) for order in orders]
    floats = [Runner.of(graph)(features) for graph in graphs]
    doubles = [Runner.of(double_tail(graph))(features) for graph in graphs]
    assert any(not np.array_equal(floats[0], other) for other in floats[1:])
    for other in doubles[1:]:
        np.testing.assert_array_equal(doubles[0], other)
    np.testing.assert_allclose(doubles[0], floats[0], rtol=1e-5, atol=1e-4)
    # What the mean hands to the layer is not rounded on its way.
    casts = [node for node in double_tail(graphs[0]).graph.node if node.op_type == "Cast"]
    assert [node.output[0] for node in casts] == ["shuffled.double", "weight.double", "logits"]


def test_only_what_no_integers_follow_is_in_double(
    residual_traced: Traced, waveforms: Array
) -> None:
    model = residual_traced.model
    features = one_by_one(Runner.of(residual_traced.frontend), waveforms)
    ranges = observe(model, [clip[None] for clip in features])
    int8 = quantize(model, ranges)
    assert "model/output/Gemm" not in layers(model)
    assert doubled(int8) == {"model/output/Gemm"}
    # A layer that was put back to float has integers behind it still.
    hidden = quantize(model, ranges, keep_float=["model/hidden/Gemm"])
    assert doubled(hidden) <= {"model/output/Gemm", "model/hidden/Gemm"}


def test_a_graph_without_integers_is_left_alone(residual_traced: Traced) -> None:
    model = residual_traced.model
    assert double_tail(model).SerializeToString() == model.SerializeToString()


def doubled(model: onnx.ModelProto) -> set[str]:
    """Names of the nodes that read a double."""
    doubles = {
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Cast" and node.attribute[0].i == TensorProto.DOUBLE
    }
    return {
        node.name
        for node in model.graph.node
        if node.op_type != "Cast" and doubles.intersection(node.input)
    }


def behind_integers(*nodes: onnx.NodeProto, **constants: Array) -> onnx.ModelProto:
    """`features` [B, 6, 8] rounded to `x`, then these nodes, which make `logits`."""
    first = [
        helper.make_node("QuantizeLinear", ["features", "scale", "zero"], ["q"], "Q"),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["x"], "DQ"),
    ]
    rounding = {"scale": np.float32(0.0371), "zero": np.uint8(3)}
    graph = helper.make_graph(
        [*first, *nodes],
        "model",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", 6, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(v), name)
            for name, v in (rounding | constants).items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_where_something_else_adds_up_in_float_nothing_is_in_double() -> None:
    weight = np.ones((8, 2), np.float32)
    product = helper.make_node("MatMul", ["y", "weight"], ["logits"], "MatMul")
    for kind, is_double in (("Softmax", False), ("Relu", True)):
        graph = behind_integers(helper.make_node(kind, ["x"], ["y"], kind), product, weight=weight)
        assert doubled(double_tail(graph)) == ({"MatMul"} if is_double else set())


def test_a_product_of_something_transposed_stays_and_so_the_graph_loads() -> None:
    weight = np.ones((6, 2), np.float32)
    graph = behind_integers(
        helper.make_node("Transpose", ["x"], ["y"], "Transpose", perm=[2, 0, 1]),
        helper.make_node("MatMul", ["y", "weight"], ["logits"], "MatMul"),
        weight=weight,
    )
    left = double_tail(graph)
    assert doubled(left) == set()
    features = np.random.default_rng(0).uniform(0, 5, (2, 6, 8)).astype(np.float32)
    assert Runner.of(left)(features).shape == (8, 2, 2)
