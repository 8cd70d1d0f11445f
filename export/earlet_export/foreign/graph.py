"""A foreign ONNX graph as something to build on: new nodes with names of their own, probed values.

Every tensor of the foreign model is called `x/<its name>` after `adopt_names`, so nothing that is
added beside it can collide.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from earlet.errors import BundleError
from earlet_export.passes.wiring import inputs_of

Values = NDArray[Any]
PREFIX = "x/"


class Builder:
    """Adds nodes to the end of a graph, one call each, and gives the name of what they make."""

    def __init__(self, graph: onnx.GraphProto, *, place: str) -> None:
        self.graph, self.place, self.made = graph, place, 0

    def constant(self, value: Values) -> str:
        """An initializer."""
        name = self._name("constant")
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def ints(self, *values: int) -> str:
        """An int64 vector."""
        return self.constant(np.array(values, dtype=np.int64))

    def number(self, value: float) -> str:
        """A float32 scalar."""
        return self.constant(np.array(value, dtype=np.float32))

    def node(self, op: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """One node with one output; -> that output, called `name` where given."""
        output = name or self._name(op)
        self.graph.node.append(
            helper.make_node(
                op, list(inputs), [output], name=f"{self.place}/{output}", **attributes
            )
        )
        return output

    def _name(self, kind: str) -> str:
        self.made += 1
        return f"{self.place}.{kind}.{self.made}"


def adopt_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with `x/` before every name, and nothing in it that names a tool or machine."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    del plain.graph.value_info[:]
    del plain.metadata_props[:]
    del plain.graph.metadata_props[:]
    for node in plain.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    # Old files list their weights among the inputs too.
    weights = {weight.name for weight in plain.graph.initializer}
    ports = [port for port in plain.graph.input if port.name not in weights]
    del plain.graph.input[:]
    plain.graph.input.extend(ports)
    prefix_names(plain.graph, PREFIX)
    return plain


def prefix_names(graph: onnx.GraphProto, prefix: str) -> None:
    """Before every name, in place, in subgraphs too.

    (The prefixing of onnx.compose forgets what a branch takes from outside.)
    """
    for port in (*graph.input, *graph.output, *graph.initializer):
        port.name = prefix + port.name
    del graph.value_info[:]
    for node in graph.node:
        # Many files leave nodes without a name, and onnxruntime wants no name twice.
        node.name = prefix + (node.name or f"{node.op_type} {next(iter(node.output), '')}")
        node.input[:] = [name and prefix + name for name in node.input]
        node.output[:] = [name and prefix + name for name in node.output]
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else []:
                prefix_names(inner, prefix)


def probe(
    model: onnx.ModelProto, names: Sequence[str], feed: Mapping[str, Values], *, source: str
) -> dict[str, Values]:
    """Run the model unoptimized on `feed` -> the value of each named tensor. Raises BundleError."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = plain_session(asked.SerializeToString(), source=source)
    wanted = {port.name for port in session.get_inputs()}
    try:
        values = session.run(list(names), {k: v for k, v in feed.items() if k in wanted})
    # onnxruntime's own exceptions share no base below Exception.
    except Exception as error:
        raise BundleError(
            f"{source} does not run on the input that its manifest describes: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return dict(zip(names, values, strict=True))


def plain_session(data: bytes, *, source: str) -> Any:
    """Bytes -> a session that changes nothing about the graph: one thread, no optimization."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BundleError(
            f"{source} is not a model that onnxruntime can run: {str(error).splitlines()[0]}"
        ) from None


def sweep(model: onnx.ModelProto) -> None:
    """Remove, in place, what no output needs: nodes, then weights; and Identity nodes."""
    graph = model.graph
    _drop_identities(graph)
    needed = {port.name for port in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(inputs_of(node))
            kept.append(node)
    kept.reverse()
    del graph.node[:]
    graph.node.extend(kept)
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)


def rename_inputs(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Let a node, and its subgraphs, read other tensors instead."""
    node.input[:] = [names.get(name, name) for name in node.input]
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs] if attribute.type in (5, 10) else []:
            for inner in graph.node:
                rename_inputs(inner, names)
            for port in graph.output:
                port.name = names.get(port.name, port.name)


def _drop_identities(graph: onnx.GraphProto) -> None:
    ends = {port.name for port in graph.output}
    same: dict[str, str] = {}
    kept = []
    for node in graph.node:
        rename_inputs(node, same)
        if node.op_type == "Identity" and node.output[0] not in ends:
            same[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
