"""Changes of a graph's constants that are planned first and made together, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Slot:
    """The input of a node, by the node's name and the input's place."""

    node: str
    place: int


Plan = Mapping[Slot, Floats]


def merged(plans: list[Plan | None]) -> Plan | None:
    """One plan of several; None where one is missing or two want the same input."""
    together: dict[Slot, Floats] = {}
    for plan in plans:
        if plan is None or together.keys() & plan.keys():
            return None
        together.update(plan)
    return together


def make(model: onnx.ModelProto, plan: Plan) -> None:
    """Give the inputs their new values, in place; constants that other nodes read stay."""
    graph = model.graph
    reads = [name for node in graph.node for name in node.input]
    nodes = {node.name: node for node in graph.node}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for slot, values in plan.items():
        node = nodes[slot.node]
        while len(node.input) <= slot.place:
            node.input.append("")
        old = node.input[slot.place]
        name = old if old and reads.count(old) == 1 else f"{node.name}:{slot.place}"
        made = numpy_helper.from_array(values.astype(np.float32), name)
        if name == old:
            constants[old].CopyFrom(made)
        else:
            graph.initializer.append(made)
            node.input[slot.place] = name
