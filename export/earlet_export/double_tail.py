"""Adds up in double precision what an int8 graph adds up in float on its way to the logits.

Integers give the same sums in any order; floats do not, and every processor has an order of its
own: behind the last integers the mean over time and the last layer came out 1.2e-7 apart on x86
and Arm. In double precision a product of two floats is exact and a sum of them is off by 1e-16 at
most, so that rounding it back to float gives the same bits everywhere (but for one number in
hundreds of millions, which lies that close to the middle between two floats). These are small
sums: it costs nothing that could be measured.

Rules:

1. A Gemm, MatMul, ReduceMean or ReduceSum that no rounding to integers follows becomes: its inputs
   to double, the same operator, back to float. One behind another takes over its double. Sums that
   integers follow stay: their last digit is rounded away.
2. All or nothing: where another operator behind the last integers adds up in float (a convolution,
   a softmax, a norm, a memory), the logits have no bits of their own anyway.
3. Nothing where one of these products reads a transposed tensor: ONNX Runtime 1.31 joins the two,
   and crashes while it loads.

Precondition: the quantizer's form. Where nothing is quantized nothing is changed. Postcondition:
the same sums, rounded once.
"""

from collections.abc import Iterable, Sequence

import onnx
from onnx import TensorProto, helper

from earlet_export.passes.wiring import without_unread

SUMS = ("Gemm", "MatMul", "ReduceMean", "ReduceSum")
# What else may stand behind the last integers: it moves numbers, or looks at each on its own.
_NO_SUMS = frozenset(
    {
        "Abs",
        "Add",
        "Cast",
        "Ceil",
        "Clip",
        "Concat",
        "Constant",
        "DequantizeLinear",
        "Div",
        "Dropout",
    }
    | {"Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements"}
    | {"GatherND", "Gelu", "Greater", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Less"}
    | {"Log", "Max", "MaxPool", "Min", "Mul", "Neg", "Not", "PRelu", "Pad", "Pow", "Reciprocal"}
    | {"ReduceMax", "ReduceMin", "Relu", "Reshape", "Round", "Selu", "Shape", "Sigmoid", "Sign"}
    | {"Size", "Slice", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Tanh", "Tile", "Transpose"}
    | {"Unsqueeze", "Where"}
)


def double_tail(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantized model graph -> the same with the sums behind its last integers in double."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    rounded = _before_rounding(graph.node)
    behind = [node for node in graph.node if node.name not in rounded]
    if not rounded or not _can_be_double(behind, graph.node):
        return changed
    nodes: list[onnx.NodeProto] = []
    cast: dict[str, str] = {}
    for node in graph.node:
        if node.op_type in SUMS and node.name not in rounded:
            nodes += _in_double(node, cast)
        else:
            nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    # A sum that only sums read is wanted in double alone.
    without_unread(changed)
    return changed


def _before_rounding(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """Names of the nodes whose result is rounded to integers somewhere on its way."""
    wanted: set[str] = set()
    found: set[str] = set()
    for node in reversed(list(nodes)):
        if node.op_type == "QuantizeLinear" or wanted.intersection(node.output):
            found.add(node.name)
            wanted.update(node.input)
    return found


def _can_be_double(behind: Sequence[onnx.NodeProto], nodes: Iterable[onnx.NodeProto]) -> bool:
    """Rules 2 and 3, of the nodes behind the last integers."""
    turned = {node.output[0] for node in nodes if node.op_type == "Transpose"}
    products = [node for node in behind if node.op_type in ("Gemm", "MatMul")]
    return all(node.op_type in (*SUMS, *_NO_SUMS) for node in behind) and not any(
        turned.intersection(node.input) for node in products
    )


def _in_double(node: onnx.NodeProto, cast: dict[str, str]) -> list[onnx.NodeProto]:
    """The node between casts. `cast`: tensor -> its double, for all that were made so far."""
    made = []
    # What a reduction has second are its axes.
    numbers = [*node.input] if node.op_type in ("Gemm", "MatMul") else [node.input[0]]
    for name in filter(None, numbers):
        if name not in cast:
            cast[name] = f"{name}.double"
            made.append(_cast(name, cast[name], TensorProto.DOUBLE))
    own = onnx.NodeProto()
    own.CopyFrom(node)
    own.input[: len(numbers)] = [cast.get(name, "") for name in numbers]
    own.output[0] = cast[node.output[0]] = f"{node.output[0]}.sum"
    return [*made, own, _cast(own.output[0], node.output[0], TensorProto.FLOAT)]


def _cast(read: str, made: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [read], [made], f"{made}/Cast", to=kind)
