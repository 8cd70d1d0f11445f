"""Finds what stands before a model's last sigmoid or softmax: log-odds that were not rounded.

A float32 probability near 1 has lost its log-odds: 0.99999994 and 1 are neighbours. Where the
squashing is the model's last word, the graph is cut just before it.
"""

from collections.abc import Mapping

import onnx

from earlet_export.foreign.graph import Values, probe, sweep

_SQUASH = {"probability": ("Sigmoid",), "probabilities": ("Softmax",)}
# They hand all values on as they are. A mean over an axis of one does too.
_SAME = ("Identity", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Transpose", "Cast")
_MEANS = ("ReduceMean", "ReduceMax", "ReduceSum", "GlobalAveragePool")


def tap(
    model: onnx.ModelProto, answer: str, means: str, feed: Mapping[str, Values], *, source: str
) -> bool:
    """Cut the squashing that makes `answer` out, in place; -> whether there was one.

    The output keeps its name and its shape operators. Nothing changes where the model's last
    operators are others, or where what is squashed is used again.
    """
    if means not in _SQUASH:
        return False
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            users[name] = users.get(name, 0) + 1
    name = answer
    while name in makers:
        node = makers[name]
        if node.op_type in _SQUASH[means]:
            return _bypass(graph, node, model)
        through = node.op_type in _SAME or (
            node.op_type in _MEANS and _keeps_size(model, node, feed, source=source)
        )
        if not through or users.get(node.input[0], 0) != 1:
            return False
        name = node.input[0]
    return False


def _bypass(graph: onnx.GraphProto, squash: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    at = list(graph.node).index(squash)
    same = onnx.helper.make_node("Identity", [squash.input[0]], [squash.output[0]])
    graph.node.remove(squash)
    graph.node.insert(at, same)
    sweep(model)
    return True


def _keeps_size(
    model: onnx.ModelProto, node: onnx.NodeProto, feed: Mapping[str, Values], *, source: str
) -> bool:
    found = probe(model, [node.input[0], node.output[0]], feed, source=source)
    return found[node.input[0]].size == found[node.output[0]].size
