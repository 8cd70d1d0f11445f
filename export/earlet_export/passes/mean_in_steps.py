"""Takes means over several axes one axis at a time, which is more exact where maps are long.

ONNX Runtime adds up a whole map in float32, one value after the other; PyTorch adds in a tree. Of a
map that is the same everywhere, as digital silence gives, 60 x 1332 values lose four digits of
their mean that way (1.2e-4 of it), and what a network makes of that was 1.4e-3 of a logit. Row by
row, then over the rows' means, it is 2.5e-6.

Needs: a float graph; sizes may be open.

1. A ReduceMean over two or more axes, stored and all counted from the same end, becomes one for
   each, the last axis first: then what is added up first lies side by side, and axes that go leave
   the places of those to come as they are.
2. Any other ReduceMean stays as it is.

Leaves: the same inputs, outputs and mean, in exact arithmetic; the first node keeps its name.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from earlet_export.passes.wiring import Wiring, attribute, without_unread


def mean_in_steps(model: onnx.ModelProto) -> onnx.ModelProto:
    """Float graph -> the same function, its means taken one axis at a time."""
    stepped = onnx.ModelProto()
    stepped.CopyFrom(model)
    graph, wiring = stepped.graph, Wiring.of(model.graph)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        axes = _axes(node, wiring)
        if len(axes) < 2 or axes[0] < 0 <= axes[-1]:
            nodes.append(node)
            continue
        made, constants = _steps(node, axes)
        nodes += made
        graph.initializer.extend(constants)
    del graph.node[:]
    graph.node.extend(nodes)
    without_unread(stepped)
    return stepped


def _axes(node: onnx.NodeProto, wiring: Wiring) -> list[int]:
    """What a ReduceMean is over, in order; nothing where that is not stored, or of another node."""
    if node.op_type != "ReduceMean" or len(node.input) < 2:
        return []
    stored = wiring.value(node.input[1])
    return [] if stored is None else sorted(int(axis) for axis in stored.ravel())


def _steps(
    node: onnx.NodeProto, axes: list[int]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Rule 1: the nodes, and the axis of each."""
    keepdims = attribute(node, "keepdims", 1)
    made, constants, read = [], [], node.input[0]
    for number, axis in enumerate(reversed(axes)):
        name = node.name if number == 0 else f"{node.name}.{number}"
        # Counted from the end, an axis moves up by those that went behind it.
        moved = axis + number if axis < 0 and not keepdims else axis
        constants.append(numpy_helper.from_array(np.array([moved]), f"{name}.axis"))
        output = node.output[0] if number == len(axes) - 1 else f"{name}.mean"
        made.append(
            helper.make_node(
                "ReduceMean", [read, constants[-1].name], [output], name, keepdims=keepdims
            )
        )
        read = output
    return made, constants
