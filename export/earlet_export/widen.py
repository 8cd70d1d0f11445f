"""Rewrites an int8 convolution on one channel so that ONNX Runtime's int8 kernel does not crawl.

The first convolution of most detectors reads a picture of a single channel. Its int8 kernel copies
every 3x3 patch byte by byte before it multiplies nine numbers: in a VGG-like network that was 29 %
of all int8 time for 1 % of the work. Computed for four neighbours at once the patch is 3x6, four
times fewer are copied, and the product is wide enough for the processor: int8 took 0.45 of fp32's
time instead of 0.53.

Rule. A 2-D convolution of one input channel, kernel [O, 1, h, w], stride s along time, becomes one
of 4 O channels, kernel [4 O, 1, h, w + 3 s] and stride 4 s, whose group p of channels is the old
kernel moved right by p s. With channels last, [H, W / 4, 4 O] and [H, W, O] are the same bytes: the
four neighbours fall into place by a reshape, and the transposes around it meet their opposites in
ONNX Runtime's own layout and vanish. Where four do not divide the output's width W two are taken,
and where two do not the convolution stays: cutting off what is too much ate the gain.

Precondition: the quantizer's form, input, weight and bias from DequantizeLinear, the output (behind
a ReLU or not) to one QuantizeLinear; sizes known; one group; no dilation. Anything else is left as
it is. Postcondition: the same integers are added up, so every answer has the same bits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

NEIGHBOURS = (4, 2)
# The end of a name: such a kernel is wide already.
_DONE = ".values"


def widen(model: onnx.ModelProto) -> onnx.ModelProto:
    """Quantized model graph -> the same with every convolution that the rule fits rewritten."""
    widened = onnx.ModelProto()
    widened.CopyFrom(model)
    found = [place for conv in model.graph.node if (place := _place(model, conv)) is not None]
    for place in found:
        _rewrite(widened.graph, place)
    return widened


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A convolution and what stands around it, by the names of its nodes."""

    conv: onnx.NodeProto
    weight: onnx.NodeProto
    bias: onnx.NodeProto | None
    relu: onnx.NodeProto | None
    quantize: onnx.NodeProto
    neighbours: int
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    in_width: int
    out_height: int
    out_width: int


def _place(model: onnx.ModelProto, conv: onnx.NodeProto) -> _Place | None:
    """The convolution with its surroundings, or None where the rule does not fit."""
    graph = model.graph
    if conv.op_type != "Conv":
        return None
    maker = {output: node for node in graph.node for output in node.output}
    sources = [maker.get(name) for name in conv.input]
    if any(node is None or node.op_type != "DequantizeLinear" for node in sources):
        return None
    weights = {w.name: tuple(w.dims) for w in graph.initializer}
    kernel = weights.get(sources[1].input[0], ()) if sources[1] else ()
    said = {a.name: a for a in conv.attribute}
    if (
        sources[1] is None
        or sources[1].input[0].endswith(_DONE)
        or len(kernel) != 4
        or kernel[1] != 1
        or (said["group"].i if "group" in said else 1) != 1
        or set(said["dilations"].ints if "dilations" in said else [1]) != {1}
        or (said["auto_pad"].s if "auto_pad" in said else b"NOTSET") != b"NOTSET"
    ):
        return None
    relu, after = None, _only_user(graph, conv.output[0])
    if after is not None and after.op_type == "Relu":
        relu, after = after, _only_user(graph, after.output[0])
    if after is None or after.op_type != "QuantizeLinear":
        return None
    shapes = _shapes(model)
    taken, given = shapes.get(conv.input[0], ()), shapes.get(conv.output[0], ())
    if len(taken) != 4 or len(given) != 4 or not all((*taken[2:], *given[2:])):
        return None
    neighbours = next((count for count in NEIGHBOURS if given[3] % count == 0), None)
    if neighbours is None:
        return None
    strides = tuple(said["strides"].ints) if "strides" in said else (1, 1)
    pads = tuple(said["pads"].ints) if "pads" in said else (0, 0, 0, 0)
    return _Place(
        conv=conv,
        weight=sources[1],
        bias=sources[2] if len(sources) > 2 else None,
        relu=relu,
        quantize=after,
        neighbours=neighbours,
        strides=(strides[0], strides[1]),
        pads=(pads[0], pads[1], pads[2], pads[3]),
        in_width=taken[3],
        out_height=given[2],
        out_width=given[3],
    )


def _rewrite(graph: onnx.GraphProto, place: _Place) -> None:
    """Put the wide convolution where the narrow one stands; what only the latter used goes."""
    name, step, count = place.conv.name, place.strides[1], place.neighbours
    kernel = _value(graph, place.weight.input[0])
    channels, _, height, width = kernel.shape
    wide = np.zeros((count * channels, 1, height, width + (count - 1) * step), kernel.dtype)
    for p in range(count):
        wide[p * channels : (p + 1) * channels, :, :, p * step : p * step + width] = kernel
    # To the right as much as the last group of neighbours reaches over the edge.
    reach = (place.out_width - count) * step + wide.shape[3]
    # (Less than nothing where a stride leaves the last columns unread, as it goes on doing.)
    right = max(0, reach - place.in_width - place.pads[1])
    made = [_wide_constant(graph, place.weight, wide, count)]
    inputs = [place.conv.input[0], made[0].output[0]]
    if place.bias is not None:
        bias = np.tile(_value(graph, place.bias.input[0]), count)
        made.append(_wide_constant(graph, place.bias, bias, count))
        inputs.append(made[-1].output[0])
    conv = helper.make_node(
        "Conv",
        inputs,
        [f"{name}.wide"],
        name=name,
        kernel_shape=wide.shape[2:],
        strides=(place.strides[0], count * step),
        pads=(*place.pads[:3], right),
    )
    made.append(conv)
    if place.relu is not None:
        made.append(
            helper.make_node("Relu", conv.output, [f"{name}.wide.relu"], name=place.relu.name)
        )
    quantize = helper.make_node(
        "QuantizeLinear",
        [made[-1].output[0], *place.quantize.input[1:]],
        [f"{name}.wide.q"],
        name=place.quantize.name,
    )
    made += [quantize, *_side_by_side(graph, place, channels)]
    _replace(graph, place, made)


def _side_by_side(graph: onnx.GraphProto, place: _Place, channels: int) -> list[onnx.NodeProto]:
    """[B, 4 O, H, W / 4] -> [B, O, H, W], in the layout where that moves nothing."""
    name = place.conv.name
    shape = _add(graph, f"{name}.wide.shape", [-1, place.out_height, place.out_width, channels])
    return [
        helper.make_node(
            "Transpose", [f"{name}.wide.q"], [f"{name}.last"], f"{name}/last", perm=[0, 2, 3, 1]
        ),
        helper.make_node("Reshape", [f"{name}.last", shape], [f"{name}.flat"], f"{name}/flat"),
        helper.make_node(
            "Transpose",
            [f"{name}.flat"],
            [place.quantize.output[0]],
            f"{name}/first",
            perm=[0, 3, 1, 2],
        ),
    ]


def _wide_constant(
    graph: onnx.GraphProto, narrow: onnx.NodeProto, values: NDArray[Any], count: int
) -> onnx.NodeProto:
    """A DequantizeLinear of `values`, with the scales of the narrow one for every neighbour."""
    stem = f"{narrow.output[0]}.wide"
    inputs = [_add(graph, f"{stem}{_DONE}", values)]
    for i, part in enumerate(narrow.input[1:]):
        value = _value(graph, part)
        inputs.append(_add(graph, f"{stem}.{i}", np.tile(value, count) if value.ndim else value))
    axis = next((a.i for a in narrow.attribute if a.name == "axis"), 1)
    return helper.make_node("DequantizeLinear", inputs, [stem], name=f"{stem}/DQ", axis=axis)


def _replace(graph: onnx.GraphProto, place: _Place, made: list[onnx.NodeProto]) -> None:
    gone = {place.conv.name, place.quantize.name}
    if place.relu is not None:
        gone.add(place.relu.name)
    nodes = []
    for node in graph.node:
        if node.name == place.quantize.name:
            nodes += made
        elif node.name not in gone:
            nodes.append(node)
    # Constants that nobody reads any more, and what made floats of them.
    read = {name for node in nodes for name in node.input} | {o.name for o in graph.output}
    nodes = [node for node in nodes if any(output in read for output in node.output)]
    read = {name for node in nodes for name in node.input}
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    weights = [w for w in graph.initializer if w.name in read]
    copies = [onnx.TensorProto.FromString(w.SerializeToString()) for w in weights]
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(copies)


def _add(graph: onnx.GraphProto, name: str, values: Any) -> str:
    array = np.asarray(values, dtype=np.int64) if isinstance(values, list) else values
    graph.initializer.append(numpy_helper.from_array(array, name))
    return name


def _value(graph: onnx.GraphProto, name: str) -> NDArray[Any]:
    return numpy_helper.to_array(next(w for w in graph.initializer if w.name == name))


def _only_user(graph: onnx.GraphProto, name: str) -> onnx.NodeProto | None:
    users = [node for node in graph.node if name in node.input]
    return users[0] if len(users) == 1 else None


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    inferred = onnx.shape_inference.infer_shapes(model)
    return {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in (*inferred.graph.value_info, *inferred.graph.input)
    }
