"""Cuts the whole graph where the spectrum ends and the trained layers begin; those become int8.

A spectrum spans more decades than eight bits hold. Nothing in a foreign file names that place, so
it is looked for: behind the last root, power or logarithm that has at most three products with
weights before it, one behind the other (two steps of a DFT and a filter bank; spectra may stand
side by side). A model that works on the waveform itself keeps its first layer in float.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from earlet.errors import RecipeError
from earlet_export.foreign.graph import Values, prefix_names, probe, rename_inputs
from earlet_export.foreign.spec import Spec
from earlet_export.foreign.spectra import SPECTRUM
from earlet_export.passes.wiring import inputs_of
from earlet_export.trace import FEATURES, FRONTEND, LOGITS, MODEL, WAVEFORM, Traced

_LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "GRU", "RNN", "Scan")
_SPECTRAL = ("Log", "Sqrt", "Pow", "ReduceL2", "ReduceLogSum", "ReduceSumSquare")
_TURNS = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten")
_MOST_BEFORE = 3
_NAME_IT = "Name with [export] seam the one up to which everything should stay float."


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The two graphs. `seam`: the foreign tensor between them; `found`: by search, not by name."""

    traced: Traced
    seam: str
    found: bool


def cut(whole: onnx.ModelProto, spec: Spec, feed: Mapping[str, Values], *, per_piece: int) -> Cut:
    """Waveform -> logits becomes waveform -> features and features -> logits. RecipeError.

    `feed`: a few windows; `per_piece`: rows that each window becomes before the seam.
    """
    graph = whole.graph
    found = spec.export.seam is None
    windows = feed[WAVEFORM].shape[0]
    seam, value = (
        _found(whole, feed, spec, rows=(windows, windows * per_piece))
        if found
        else _named(whole, feed, spec)
    )
    early = _makers(graph.node, seam)
    late = [node for node in graph.node if node not in early]
    shape, rows = value.shape[1:], value.shape[0]
    frontend = _half(graph, early, FRONTEND)
    model = _half(graph, late, MODEL)
    if rows == windows:
        _join(frontend, seam if seam == WAVEFORM else f"{FRONTEND}/{seam}", FEATURES)
        _join(model, FEATURES, f"{MODEL}/{seam}", first=True)
        sizes: Sequence[int] = shape
    elif rows == windows * per_piece:
        # One row for each piece: the pieces of a window stay together across the seam.
        sizes = (per_piece, *shape)
        _reshape(frontend, f"{FRONTEND}/{seam}", FEATURES, [-1, *sizes])
        _reshape(model, FEATURES, f"{MODEL}/{seam}", [-1, *shape], first=True)
    else:
        raise RecipeError(
            f"{spec.source}: the tensor {seam.removeprefix('x/')!r} has {rows} rows for {windows} "
            "windows. Name with [export] seam one whose first axis is the batch."
        )
    _set_ends(frontend, (WAVEFORM, [spec.data.window_samples]), (FEATURES, sizes))
    _set_ends(model, (FEATURES, sizes), (LOGITS, [len(spec.labels)]))
    return Cut(
        traced=Traced(
            frontend=_whole_model(frontend, whole),
            model=_whole_model(model, whole),
            window_samples=spec.data.window_samples,
        ),
        seam=seam.removeprefix("x/"),
        found=found,
    )


def _named(whole: onnx.ModelProto, feed: Mapping[str, Values], spec: Spec) -> tuple[str, Values]:
    """The tensor that the manifest names, and its value. RecipeError where it does not part."""
    graph, said = whole.graph, spec.export.seam
    names = [name for node in graph.node for name in node.output]
    seam = next((name for name in names if name in (f"x/{said}", said)), None)
    if seam is None:
        raise RecipeError(f"{spec.source}: the model has no tensor {said!r}. {_NAME_IT}")
    early = _makers(graph.node, seam)
    across = _crossing(graph, [node for node in graph.node if node not in early], seam)
    if across:
        raise RecipeError(
            f"{spec.source}: [export] seam {seam.removeprefix('x/')!r} does not part the model: "
            f"{sorted(across)[0].removeprefix('x/')!r} passes it by. Name another tensor."
        )
    value = _value(whole, seam, feed, spec)
    if value.dtype != np.float32:
        raise RecipeError(
            f"{spec.source}: [export] seam {seam.removeprefix('x/')!r} holds {value.dtype}, and "
            "features are float32. Name another tensor."
        )
    return seam, value


def _found(
    whole: onnx.ModelProto, feed: Mapping[str, Values], spec: Spec, *, rows: tuple[int, int]
) -> tuple[str, Values]:
    """The first candidate of float32 whose first axis is the batch, and its value. RecipeError."""
    for seam in _candidates(whole.graph):
        value = _value(whole, seam, feed, spec)
        if value.ndim > 1 and value.shape[0] in rows and value.dtype == np.float32:
            return seam, value
    raise RecipeError(
        f"{spec.source}: no single tensor parts the model's spectrum from its trained layers. "
        f"{_NAME_IT}"
    )


def _value(whole: onnx.ModelProto, seam: str, feed: Mapping[str, Values], spec: Spec) -> Values:
    if seam == WAVEFORM:
        return feed[WAVEFORM]
    return probe(whole, [seam], feed, source=spec.source)[seam]


def _candidates(graph: onnx.GraphProto) -> Iterator[str]:
    """What goes into the layers behind the spectrum, where everything passes through it.

    First as a layer takes it, then as it was before it was turned (a recurrent layer wants time
    first). Where that parts nothing, as with one layer or two spectra side by side, the last tensor
    that everything passes through: nearly all of it stays in float.
    """
    weights = {w.name for w in graph.initializer}
    nodes = list(graph.node)
    maker = {name: node for node in nodes for name in node.output}
    layers = [
        i
        for i, node in enumerate(nodes)
        if node.op_type in _LAYERS and not node.name.startswith(SPECTRUM)
    ]
    if [nodes[i].op_type for i in layers] == ["Scan"] and WAVEFORM in nodes[layers[0]].input:
        # Everything is in turn, and nothing of it can become int8: the seam is the sound itself.
        yield WAVEFORM
        return
    depths = _depths(nodes, layers)
    deepest = max((depths[i] for i in layers), default=0)
    start = -1
    for i, node in enumerate(nodes):
        if node.op_type in _SPECTRAL and depths[i] <= min(_MOST_BEFORE, deepest - 1):
            start = i
    # Without a spectrum the first layer's output is where integers may begin.
    behind = [at for at in layers if at > start] if start >= 0 else layers[1:]
    for at in behind:
        seam = nodes[at].input[0]
        while seam != WAVEFORM and seam not in weights:
            if _parts(graph, seam):
                yield str(seam)
            if maker[seam].op_type not in _TURNS:
                break
            seam = maker[seam].input[0]
    for node in reversed(nodes):
        if LOGITS not in node.output and _parts(graph, node.output[0]):
            yield node.output[0]


def _depths(nodes: Sequence[onnx.NodeProto], layers: Sequence[int]) -> list[int]:
    """Of each node: the most layers that stand one behind the other up to it, itself among them."""
    own, so_far, depths = set(layers), dict[str, int](), list[int]()
    for i, node in enumerate(nodes):
        before = max((so_far.get(name, 0) for name in inputs_of(node)), default=0)
        depths.append(before + (i in own))
        so_far |= dict.fromkeys(node.output, depths[-1])
    return depths


def _parts(graph: onnx.GraphProto, seam: str) -> bool:
    """Whether everything passes through this tensor."""
    early = _makers(graph.node, seam)
    return not _crossing(graph, [node for node in graph.node if node not in early], seam)


def _makers(nodes: Sequence[onnx.NodeProto], seam: str) -> list[onnx.NodeProto]:
    """The nodes that the seam depends on, in order."""
    needed, kept = {seam}, []
    for node in reversed(nodes):
        if needed & set(node.output):
            needed |= set(inputs_of(node))
            kept.append(node)
    return kept[::-1]


def _crossing(graph: onnx.GraphProto, late: Sequence[onnx.NodeProto], seam: str) -> set[str]:
    """What the second half takes from the first beside the seam and the weights."""
    own = {name for node in late for name in node.output} | {w.name for w in graph.initializer}
    return {name for node in late for name in inputs_of(node)} - own - {seam}


def _half(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto], prefix: str) -> onnx.GraphProto:
    """Those nodes and their weights as a graph of their own, `prefix` before every name."""
    half = onnx.GraphProto()
    half.node.extend(nodes)
    used = {name for node in nodes for name in inputs_of(node)}
    half.initializer.extend(w for w in graph.initializer if w.name in used)
    prefix_names(half, f"{prefix}/")
    for node in half.node:
        node.name = f"{prefix}/{node.output[0].removeprefix(prefix + '/').removeprefix('x/')}"
        # The two ends of the contract keep their names.
        end = {FRONTEND: WAVEFORM, MODEL: LOGITS}[prefix]
        names = {f"{prefix}/{end}": end}
        rename_inputs(node, names)
        node.output[:] = [names.get(name, name) for name in node.output]
    half.name = prefix
    return half


def _join(graph: onnx.GraphProto, source: str, target: str, *, first: bool = False) -> None:
    node = helper.make_node("Identity", [source], [target], name=f"{graph.name}/seam")
    _insert(graph, node, first=first)


def _reshape(
    graph: onnx.GraphProto, source: str, target: str, sizes: Sequence[int], *, first: bool = False
) -> None:
    name = f"{graph.name}/seam.shape"
    graph.initializer.append(helper.make_tensor(name, TensorProto.INT64, [len(sizes)], sizes))
    node = helper.make_node("Reshape", [source, name], [target], name=f"{graph.name}/seam")
    _insert(graph, node, first=first)


def _insert(graph: onnx.GraphProto, node: onnx.NodeProto, *, first: bool) -> None:
    graph.node.insert(0 if first else len(graph.node), node)


def _set_ends(
    graph: onnx.GraphProto, source: tuple[str, Sequence[int]], target: tuple[str, Sequence[int]]
) -> None:
    for (name, sizes), ports in ((source, graph.input), (target, graph.output)):
        ports.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", *sizes]))


def _whole_model(graph: onnx.GraphProto, whole: onnx.ModelProto) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(whole)
    model.graph.CopyFrom(graph)
    onnx.checker.check_model(model, full_check=True)
    return model
