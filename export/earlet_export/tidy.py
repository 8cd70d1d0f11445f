"""Gives a freshly exported graph stable, readable names and drops whatever names a machine.

Postconditions: inputs and outputs are called what the caller says; every other tensor and node is
called `<prefix>/<module path>...`; no doc string, stack trace, value info or producer version is
left, so the same network gives the same bytes on any machine.
"""

from collections import Counter

import onnx

_SCOPES = "pkg.torch.onnx.name_scopes"


def tidy(model: onnx.ModelProto, *, prefix: str, source: str, target: str) -> onnx.ModelProto:
    """Exported model -> the same graph, renamed and stripped. `source`, `target`: its two ends."""
    tidied = onnx.ModelProto()
    tidied.CopyFrom(model)
    graph = tidied.graph
    _strip(tidied)
    names = {source: source, target: target}
    weights = {w.name for w in graph.initializer}
    taken: Counter[str] = Counter()
    for node, original in zip(graph.node, model.graph.node, strict=True):
        node.name = _unique(f"{prefix}/{_place(original, weights)}", taken)
        for i, output in enumerate(node.output):
            if output and output not in names:
                names[output] = node.name if i == 0 else f"{node.name}.{i}"
    constants = 0
    for weight in graph.initializer:
        if "." in weight.name:
            name = _unique(f"{prefix}/{_inside(weight.name)}", taken)
        else:
            name, constants = f"{prefix}/constant_{constants}", constants + 1
        names[weight.name] = name
        weight.name = name
    for node in graph.node:
        node.input[:] = [names[name] if name else "" for name in node.input]
        node.output[:] = [names[name] if name else "" for name in node.output]
    graph.name = prefix
    return tidied


def _strip(model: onnx.ModelProto) -> None:
    """Remove provenance that varies; shapes are inferred again by whoever needs them."""
    model.producer_name, model.producer_version, model.doc_string = "earlet", "", ""
    del model.metadata_props[:]
    graph = model.graph
    del graph.value_info[:]
    del graph.metadata_props[:]
    graph.doc_string = ""
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*graph.input, *graph.output):
        value.doc_string = ""
        del value.metadata_props[:]
    for weight in graph.initializer:
        weight.doc_string = ""
        del weight.metadata_props[:]


def _place(node: onnx.NodeProto, weights: set[str]) -> str:
    """Where in the network a node stands: `blocks.0.c1/Conv`.

    Its weight says it best (a folded batch norm leaves its own scope on the convolution); else
    the innermost module that the exporter noted.
    """
    for name in node.input[1:]:
        if name in weights and "." in name:
            return f"{_inside(name.rpartition('.')[0])}/{node.op_type}".removeprefix("/")
    scopes = next((p.value for p in node.metadata_props if p.key == _SCOPES), "")
    inner = [s.strip(" '\"[]") for s in scopes.split(",")]
    module = _inside(inner[-2]) if len(inner) > 1 else ""
    return f"{module}/{node.op_type}" if module else node.op_type


def _inside(path: str) -> str:
    """Module path without the wrapper's own first steps: `network.frontend.dft` -> `dft`."""
    for outer in ("network.frontend.", "network.", "frontend."):
        path = path.removeprefix(outer)
    return "" if path in ("network", "frontend") else path


def _unique(name: str, taken: Counter[str]) -> str:
    taken[name] += 1
    return name if taken[name] == 1 else f"{name}_{taken[name] - 1}"
