"""Random small networks: folded and not, they say the same; where no rule applies, it stays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from earlet_export.passes.fold_batch_norm import fold_batch_norm
from earlet_export.run import Runner
from earlet_export.trace import Traced


class Small:
    """A network of [B, 4, 8, 8] put together by hand; `signs` of the batch norms' scales."""

    def __init__(self, seed: int, *, signs: str) -> None:
        self.rng, self.signs = np.random.default_rng(seed), signs
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        name = f"model/{kind}_{len(self.nodes)}"
        names = [name if i == 0 else f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return name

    def weight(self, *shape: int, low: float = -1.0, high: float = 1.0) -> str:
        name = f"w{len(self.weights)}"
        values = self.rng.uniform(low, high, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def constant(self, values: Sequence[int]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(values, dtype=np.int64), name))
        return name

    def conv(
        self,
        x: str,
        *,
        out: int = 4,
        into: int = 4,
        size: int = 3,
        pad: bool = True,
        group: int = 1,
        bias: bool = True,
    ) -> str:
        weights = [self.weight(out, into // group, size, size)]
        weights += [self.weight(out)] if bias else []
        pads = [size // 2 if pad else 0] * 4
        return self.op("Conv", x, *weights, pads=pads, group=group)

    def norm(self, x: str, *, channels: int = 4) -> str:
        low = {"positive": 0.5, "mixed": -1.5}[self.signs]
        numbers = [
            self.weight(channels, low=low, high=1.5),
            self.weight(channels),
            self.weight(channels),
            self.weight(channels, low=0.3, high=2.0),
        ]
        return self.op("BatchNormalization", x, *numbers)

    def model(self, last: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "model",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 4, 8, 8])],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        shape = onnx.shape_inference.infer_shapes(model).graph.output[0].type
        model.graph.output[0].type.CopyFrom(shape)
        return model


def conv_norm(n: Small) -> str:
    return n.norm(n.conv("x"))


def conv_without_bias_norm_relu(n: Small) -> str:
    return n.op("Relu", n.norm(n.conv("x", bias=False, group=2)))


def norm_unpadded_conv(n: Small) -> str:
    return n.conv(n.norm("x"), pad=False, group=2)


def relu_norm_pointwise_conv(n: Small) -> str:
    return n.conv(n.norm(n.op("Relu", n.conv("x"))), size=1)


def leaky_norm_padded_conv(n: Small) -> str:
    return n.conv(n.norm(n.op("LeakyRelu", n.conv("x"), alpha=0.1)))


def norm_of_the_input_padded_conv(n: Small) -> str:
    return n.conv(n.norm("x"))


def pools_between(n: Small) -> str:
    x = n.op("MaxPool", n.conv("x"), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = n.op("AveragePool", n.norm(x), kernel_shape=[2, 2], strides=[2, 2])
    return n.op("Flatten", x)


def average_with_zeros_counted(n: Small) -> str:
    x = n.op(
        "AveragePool", n.op("Sigmoid", n.conv("x")), kernel_shape=[3, 3], pads=[1, 1, 1, 1],
        count_include_pad=1,
    )  # fmt: skip
    return n.conv(n.norm(x))


def sum_of_two_branches(n: Small) -> str:
    return n.op("Relu", n.norm(n.op("Add", n.conv("x"), n.conv("x", size=1))))


def residual_whose_sum_is_passed_on(n: Small) -> str:
    total = n.op("Add", n.conv("x"), n.conv("x"))
    inner = n.conv(n.op("Relu", n.norm(total)))
    return n.op("Add", inner, total)


def concatenation(n: Small) -> str:
    both = n.op("Concat", n.conv("x", out=3), n.conv("x", out=5), axis=1)
    return n.norm(both, channels=8)


def concatenation_read_by_a_layer(n: Small) -> str:
    one = n.norm(n.op("Sigmoid", n.conv("x", out=3)), channels=3)
    both = n.op("Concat", n.op("Sigmoid", n.conv("x", out=5)), one, axis=1)
    return n.op("Gemm", n.op("Flatten", both), n.weight(2, 8 * 64), n.weight(2), transB=1)


def max_feature_map(n: Small) -> str:
    halves = n.op("Split", n.conv("x", out=8), outputs=2, axis=1, num_outputs=2)
    return n.conv(n.norm(n.op("Max", halves, f"{halves}.1")))


def mean_over_the_map_and_a_layer(n: Small) -> str:
    x = n.op("Relu", n.conv("x"))
    x = n.norm(n.op("ReduceMean", x, n.constant([2, 3]), keepdims=0))
    return n.op("Gemm", x, n.weight(2, 4), n.weight(2), transB=1)


def layers_of_a_sequence(n: Small) -> str:
    x = n.op("Reshape", "x", n.constant([0, 16, 16]))
    x = n.op("Add", n.op("MatMul", x, n.weight(16, 4)), n.weight(4))
    y = n.op("Transpose", n.op("LeakyRelu", x, alpha=0.2), perm=[0, 2, 1])
    return n.op("Relu", n.norm(y))


def two_norms_in_a_row_of_layers(n: Small) -> str:
    x = n.norm(n.op("Relu", n.conv("x")))
    x = n.op("Relu", n.conv(x, pad=False))
    return n.conv(n.norm(x), pad=False)


# (network, batch norms left when all scales are positive, when some are negative)
CASES = [
    (conv_norm, 0, 0),
    (conv_without_bias_norm_relu, 0, 0),
    (norm_unpadded_conv, 0, 0),
    (relu_norm_pointwise_conv, 0, 0),
    (leaky_norm_padded_conv, 0, 1),
    (norm_of_the_input_padded_conv, 1, 1),
    (pools_between, 0, 1),
    (average_with_zeros_counted, 1, 1),
    (sum_of_two_branches, 0, 0),
    (residual_whose_sum_is_passed_on, 1, 1),
    (concatenation, 0, 0),
    (concatenation_read_by_a_layer, 0, 0),
    (max_feature_map, 0, 1),
    (mean_over_the_map_and_a_layer, 0, 0),
    (layers_of_a_sequence, 0, 1),
    (two_norms_in_a_row_of_layers, 0, 0),
]


@pytest.mark.parametrize("signs", ["positive", "mixed"])
@pytest.mark.parametrize(
    ("network", "positive", "mixed"), CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_folded_networks_say_the_same_and_norms_stay_only_where_no_rule_holds(
    network: Callable[[Small], str], positive: int, mixed: int, signs: str
) -> None:
    for seed in range(6):
        small = Small(seed, signs=signs)
        model = small.model(network(small))
        folded = fold_batch_norm(model)
        onnx.checker.check_model(folded, full_check=True)
        left = sum(node.op_type == "BatchNormalization" for node in folded.graph.node)
        if signs == "positive":
            assert left == positive
        else:
            # By chance a draw of few scales has no negative one among them.
            assert min(positive, mixed) <= left <= mixed
        x = np.random.default_rng(seed).standard_normal((3, 4, 8, 8)).astype(np.float32)
        wanted = Runner.of(model)(x)
        np.testing.assert_allclose(
            Runner.of(folded)(x), wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max()
        )


def test_a_shift_that_cannot_travel_is_left_as_an_addition() -> None:
    small = Small(0, signs="positive")
    folded = fold_batch_norm(small.model(leaky_norm_padded_conv(small)))
    assert [node.op_type for node in folded.graph.node] == ["Conv", "LeakyRelu", "Add", "Conv"]


def test_a_weight_that_another_layer_shares_is_not_changed_for_it() -> None:
    small = Small(0, signs="mixed")
    weight = small.weight(4, 4, 1, 1)
    one = small.norm(small.op("Conv", "x", weight))
    model = small.model(small.op("Add", one, small.op("Conv", "x", weight)))
    folded = fold_batch_norm(model)
    assert not any(node.op_type == "BatchNormalization" for node in folded.graph.node)
    x = np.random.default_rng(1).standard_normal((2, 4, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(Runner.of(folded)(x), Runner.of(model)(x), atol=1e-5)


def test_the_graph_given_is_not_changed_and_folding_again_changes_nothing() -> None:
    small = Small(0, signs="positive")
    model = small.model(two_norms_in_a_row_of_layers(small))
    before = model.SerializeToString(deterministic=True)
    folded = fold_batch_norm(model)
    assert model.SerializeToString(deterministic=True) == before
    assert fold_batch_norm(folded) == folded


def test_a_trained_residual_network_exports_without_batch_norms(residual_traced: Traced) -> None:
    assert "BatchNormalization" not in {n.op_type for n in residual_traced.model.graph.node}
