"""Shortens what the quantizer leaves behind: names of sixty letters, the same zeros forty times.

Every layer of an int8 graph brings two scales, two zero points and four tensors between their
conversions, each named after the layer and its own history. In a network of 175,000 weights that
is a fifth of the file.

Needs: an int8 graph in QDQ form, as the quantizer wrote it.

1. Constants of the same type, shape and bytes that only conversions (QuantizeLinear,
   DequantizeLinear) read as scale or zero point become one.
2. The constants and tensors that only conversions make or read are named q0, q1, ... in the order
   of their use. Ends of the graph, weights, and what layers make keep their names, and so does
   every node: reports and the linter name nodes.

Leaves: the same nodes in the same order, computing the same to the bit.
"""

import onnx

from earlet_export.passes.wiring import without_unread

_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


def short_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """Int8 graph -> the same graph in fewer bytes."""
    shorter = onnx.ModelProto()
    shorter.CopyFrom(model)
    _share(shorter)
    _rename(shorter)
    without_unread(shorter)
    return shorter


def _share(model: onnx.ModelProto) -> None:
    """Rule 1, in place."""
    graph = model.graph
    elsewhere = {
        name
        for node in graph.node
        for place, name in enumerate(node.input)
        if node.op_type not in _CONVERSIONS or place == 0
    }
    first: dict[bytes, str] = {}
    same: dict[str, str] = {}
    for constant in graph.initializer:
        if constant.name not in elsewhere:
            nameless = onnx.TensorProto()
            nameless.CopyFrom(constant)
            nameless.ClearField("name")
            same[constant.name] = first.setdefault(
                nameless.SerializeToString(deterministic=True), constant.name
            )
    for node in graph.node:
        if node.op_type in _CONVERSIONS:
            node.input[:] = [same.get(name, name) for name in node.input]


def _rename(model: onnx.ModelProto) -> None:
    """Rule 2, in place."""
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    made = {name for node in graph.node if node.op_type in _CONVERSIONS for name in node.output}
    scales = {
        name for node in graph.node if node.op_type in _CONVERSIONS for name in node.input[1:]
    }
    elsewhere = {
        name for node in graph.node if node.op_type not in _CONVERSIONS for name in node.input
    }
    constants = {constant.name for constant in graph.initializer}
    short: dict[str, str] = {}
    for node in graph.node:
        for name in (*node.input, *node.output):
            own = name in made or (name in scales and name in constants and name not in elsewhere)
            if own and name not in kept and name not in short:
                short[name] = f"q{len(short)}"
    for node in graph.node:
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
    for constant in graph.initializer:
        constant.name = short.get(constant.name, constant.name)
