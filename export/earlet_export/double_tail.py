"""Adds up in double precision what an int8 graph adds up in float on its way to the logits.

Integers give the same sums in any order; floats do not, and every processor has an order of its
own: behind the last integers the mean over time and the last layer came out 1.2e-7 apart on x86
and Arm. In double precision a product of two floats is exact and a sum of them is off by 1e-16 at
most, so that rounding it back to float gives the same bits everywhere (but for one number in
hundreds of millions, which lies that close to the middle between two floats). These are small
sums: it costs nothing that could be measured.

Rule. A Gemm, MatMul, ReduceMean or ReduceSum that no rounding to integers follows becomes: its
inputs to double, the same operator, back to float. One behind another takes over its double. Sums
that integers follow stay: their last digit is rounded away.

Precondition: the quantizer's form. Where nothing is quantized nothing is changed. Postcondition:
the same sums, rounded once.
"""

from collections.abc import Iterable

import onnx
from onnx import TensorProto, helper

from earlet_export.passes.wiring import without_unread

SUMS = ("Gemm", "MatMul", "ReduceMean", "ReduceSum")


def double_tail(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantized model graph -> the same with the sums behind its last integers in double."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    rounded = _before_rounding(graph.node)
    if not rounded:
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
