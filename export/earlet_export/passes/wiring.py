"""Who makes a tensor and who reads it: the view of a graph that every pass begins with."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Of one moment: make it anew after a change. `outputs`: tensors that leave the graph."""

    maker: dict[str, onnx.NodeProto]
    readers: dict[str, list[onnx.NodeProto]]
    constants: dict[str, onnx.TensorProto]
    outputs: frozenset[str]

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> "Wiring":
        """Read it off the graph."""
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in dict.fromkeys(inputs_of(node)):
                readers.setdefault(name, []).append(node)
        return cls(
            maker={name: node for node in graph.node for name in node.output if name},
            readers=readers,
            constants={tensor.name: tensor for tensor in graph.initializer},
            outputs=frozenset(value.name for value in graph.output),
        )

    def only_reader(self, tensor: str) -> onnx.NodeProto | None:
        """The one node that reads it; None where several do, or the world outside."""
        readers = self.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.outputs else None

    def value(self, tensor: str) -> NDArray[np.generic] | None:
        """A constant's values, None where the tensor is computed."""
        constant = self.constants.get(tensor)
        return None if constant is None else numpy_helper.to_array(constant)


def inputs_of(node: onnx.NodeProto) -> list[str]:
    """All that a node reads, what its subgraphs take from outside included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else []:
            made = {port.name for port in graph.input} | {w.name for w in graph.initializer}
            for inner in graph.node:
                names += [name for name in inputs_of(inner) if name not in made]
                made |= set(inner.output)
            names += [port.name for port in graph.output if port.name not in made]
    return names


def attribute(node: onnx.NodeProto, name: str, default: T) -> T:
    """The node's attribute, or `default`, which also states its type."""
    for found in node.attribute:
        if found.name == name:
            value: T = onnx.helper.get_attribute_value(found)
            return value
    return default


def without_unread(model: onnx.ModelProto) -> None:
    """Drop nodes and constants that nothing reads any more, in place."""
    graph = model.graph
    while True:
        read = {name for node in graph.node for name in inputs_of(node)}
        read |= {value.name for value in graph.output}
        dead = [node for node in graph.node if not read.intersection(node.output)]
        for node in dead:
            graph.node.remove(node)
        if not dead:
            break
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)
