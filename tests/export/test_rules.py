import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from earlet.errors import ParityError
from earlet_export.rules import check_rules


def graph(*nodes: onnx.NodeProto, **constants: float) -> onnx.ModelProto:
    """x -> nodes -> y, with scalar constants."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 4]) for n in "xy"]
    weights = [
        numpy_helper.from_array(np.array(v, dtype=np.float32), n) for n, v in constants.items()
    ]
    return helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], weights),
        opset_imports=[helper.make_opsetid("", 18)],
    )


def node(kind: str, *names: str) -> onnx.NodeProto:
    """The last name is the output."""
    return helper.make_node(kind, names[:-1], names[-1:], name=f"part/{kind}")


GUARDED = {
    "clip": graph(node("Clip", "x", "eps", "a"), node("Log", "a", "y"), eps=1e-10),
    "max": graph(node("Max", "eps", "x", "a"), node("Log", "a", "y"), eps=1e-10),
    "add": graph(node("Add", "x", "eps", "a"), node("Log", "a", "y"), eps=1e-6),
    "clip, then moved about": graph(
        node("Clip", "x", "eps", "a"),
        node("Transpose", "a", "b"),
        node("Sqrt", "b", "c"),
        node("Log", "c", "y"),
        eps=1e-10,
    ),
    "a sum of exponentials": graph(
        node("Exp", "x", "a"), node("ReduceSum", "a", "b"), node("Log", "b", "y")
    ),
}
BARE = {
    "nothing": graph(node("Log", "x", "y")),
    "a square": graph(node("Mul", "x", "x", "a"), node("Log", "a", "y")),
    "a floor of zero": graph(node("Clip", "x", "eps", "a"), node("Log", "a", "y"), eps=0.0),
    "a floor, then zeros around it": graph(
        node("Clip", "x", "eps", "a"), node("Pad", "a", "b"), node("Log", "b", "y"), eps=1e-10
    ),
    "a floor, then a difference": graph(
        node("Clip", "x", "eps", "a"), node("Sub", "a", "eps", "b"), node("Log", "b", "y"), eps=1e-9
    ),
}


@pytest.mark.parametrize("case", GUARDED)
def test_a_logarithm_above_a_floor_passes(case: str) -> None:
    check_rules(GUARDED[case], part="frontend")


@pytest.mark.parametrize("case", BARE)
def test_a_logarithm_without_a_floor_is_refused_by_name(case: str) -> None:
    with pytest.raises(ParityError, match=r"part/Log.*clamp"):
        check_rules(BARE[case], part="frontend")


@pytest.mark.parametrize("operator", ["STFT", "DFT"])
def test_the_slow_and_wrong_spectrum_operators_are_refused(operator: str) -> None:
    with pytest.raises(ParityError, match=operator):
        check_rules(graph(node(operator, "x", "y")), part="frontend")


def test_a_batch_norm_behind_a_convolution_is_refused_and_behind_a_sum_it_is_not() -> None:
    folded = [node("Conv", "x", "w", "a"), node("BatchNormalization", "a", "y")]
    with pytest.raises(ParityError, match="folded"):
        check_rules(graph(*folded, w=1.0), part="model")
    check_rules(
        graph(node("Add", "x", "w", "a"), node("BatchNormalization", "a", "y"), w=1.0), part="model"
    )
