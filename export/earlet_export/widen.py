"""Rewrites an int8 convolution on few channels so that ONNX Runtime's int8 kernel does not crawl.

The first convolution of most detectors reads a picture of a single channel. ONNX Runtime's quick
int8 kernel wants channels in fours; with fewer, every patch is copied byte by byte before its nine
numbers are multiplied. In a VGG-like network that was 29 % of all int8 time for 1 % of the work.
Four neighbours along the width are four channels, though, and no byte has to move for that: with
channels last, [H, W, 1] and [H, W / 4, 4] are the same bytes. A 3x3 kernel on one channel or
three then takes 0.26 to 0.36 of its time, with a stride of 2 about half (widths 126 to 401, 16 to
64 channels out), the 7x7 kernel of a ResNet50 on three channels 0.75.

Rule. A 2-D convolution of C <= 3 channels, kernel [O, C, h, w], stride s <= 4 along the width,
reads blocks of g neighbours (4; 12 where s is 3) as g C channels and gives the n = g / s outputs
that begin in a block as n O channels: kernel [n O, g C, h, b], stride 1, whose group p of channels
is the old kernel moved right by p s within the b blocks that the last of them reaches. The input
is padded by its zero point to the width that the blocks read. [H, W / n, n O] and [H, W, O] are
the same bytes again; what n does not divide is cut off. The transposes around it meet their
opposites in ONNX Runtime's own layout and vanish.

Precondition: the quantizer's form, input, weight and bias from DequantizeLinear, the output (behind
a ReLU or not) to one QuantizeLinear; sizes known; one group; no dilation. Anything else is left as
it is. Postcondition: the same integers are added up, so every answer has the same bits.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

# How tensors end that were laid out for a wide convolution: padded, in blocks, channels first.
LAID_OUT = (".padded", ".blocks", ".blocks.first")
# Channels that the int8 kernel reads at once, and the most that are worth putting together.
_CHANNELS = 4
_FEW, _LONGEST_STRIDE = 3, 4


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
    values: onnx.NodeProto
    weight: onnx.NodeProto
    bias: onnx.NodeProto | None
    relu: onnx.NodeProto | None
    quantize: onnx.NodeProto
    kernel: tuple[int, int, int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    in_size: tuple[int, int]
    out_size: tuple[int, int]

    @property
    def block(self) -> int:
        """Neighbours of the input that become channels."""
        return math.lcm(_CHANNELS, self.strides[1])

    @property
    def together(self) -> int:
        """Neighbours of the output that become channels."""
        return self.block // self.strides[1]

    @property
    def wide(self) -> int:
        """Width of the new kernel, in blocks."""
        return -(-((self.together - 1) * self.strides[1] + self.kernel[3]) // self.block)

    @property
    def blocks_out(self) -> int:
        """Width of the new output."""
        return -(-self.out_size[1] // self.together)


def _place(model: onnx.ModelProto, conv: onnx.NodeProto) -> _Place | None:
    """The convolution with its surroundings, or None where the rule does not fit."""
    graph = model.graph
    if conv.op_type != "Conv":
        return None
    maker = {output: node for node in graph.node for output in node.output}
    sources = [
        node
        for name in conv.input
        if (node := maker.get(name)) is not None and node.op_type == "DequantizeLinear"
    ]
    if len(sources) < max(2, len(conv.input)) or len(sources[0].input) < 3:
        return None
    weights = {w.name: tuple(w.dims) for w in graph.initializer}
    kernel = weights.get(sources[1].input[0], ())
    said = {a.name: a for a in conv.attribute}
    strides = tuple(said["strides"].ints) if "strides" in said else (1, 1)
    pads = tuple(said["pads"].ints) if "pads" in said else (0, 0, 0, 0)
    if (
        len(kernel) != 4
        or kernel[1] > _FEW
        or strides[1] > _LONGEST_STRIDE
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
    return _Place(
        conv=conv,
        values=sources[0],
        weight=sources[1],
        bias=sources[2] if len(sources) > 2 else None,
        relu=relu,
        quantize=after,
        kernel=(kernel[0], kernel[1], kernel[2], kernel[3]),
        strides=(strides[0], strides[1]),
        pads=(pads[0], pads[1], pads[2], pads[3]),
        in_size=(taken[2], taken[3]),
        out_size=(given[2], given[3]),
    )


def _rewrite(graph: onnx.GraphProto, place: _Place) -> None:
    """Put the wide convolution where the narrow one stands; what only the latter used goes."""
    name, count = place.conv.name, place.together
    made = _blocks(graph, place)
    values = helper.make_node(
        "DequantizeLinear",
        [made[-1].output[0], *place.values.input[1:]],
        [f"{name}.blocks.dq"],
        name=f"{name}.blocks/DQ",
    )
    kernel = _wide_kernel(_value(graph, place.weight.input[0]), place)
    made += [values, _wide_constant(graph, place.weight, kernel, count)]
    inputs = [values.output[0], made[-1].output[0]]
    if place.bias is not None:
        bias = np.tile(_value(graph, place.bias.input[0]), count)
        made.append(_wide_constant(graph, place.bias, bias, count))
        inputs.append(made[-1].output[0])
    conv = helper.make_node(
        "Conv",
        inputs,
        [f"{name}.wide"],
        name=name,
        kernel_shape=kernel.shape[2:],
        strides=(place.strides[0], 1),
        pads=(place.pads[0], 0, place.pads[2], 0),
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
    _replace(graph, place, [*made, quantize, *_side_by_side(graph, place)])


def _wide_kernel(kernel: NDArray[Any], place: _Place) -> NDArray[Any]:
    """[O, C, h, w] -> [n O, g C, h, b]."""
    (channels, few, height, width), block = kernel.shape, place.block
    wide = np.zeros((place.together, channels, block, few, height, place.wide), kernel.dtype)
    for p in range(place.together):
        for tap in range(width):
            at, within = divmod(p * place.strides[1] + tap, block)
            wide[p, :, within, :, :, at] = kernel[:, :, :, tap]
    return wide.reshape(place.together * channels, block * few, height, place.wide)


def _blocks(graph: onnx.GraphProto, place: _Place) -> list[onnx.NodeProto]:
    """Integers [B, C, H, W] -> [B, g C, H, W / g], in the layout where that moves nothing."""
    name, channels = place.conv.name, place.kernel[1]
    (height, width), left = place.in_size, place.pads[1]
    read = (place.blocks_out - 1 + place.wide) * place.block
    integers, made = place.values.input[0], []
    # (Less than nothing at the right where a stride leaves the last columns unread.)
    if (right := read - width - left) or left:
        pads = _add(graph, f"{name}.pads", [0, 0, 0, left, 0, 0, 0, right])
        padded = [integers, pads, place.values.input[2]]
        made.append(helper.make_node("Pad", padded, [f"{name}.padded"], f"{name}/pad"))
        integers = made[-1].output[0]
    if channels > 1:
        last = [f"{name}.padded.last"]
        made.append(
            helper.make_node("Transpose", [integers], last, f"{name}/in", perm=[0, 2, 3, 1])
        )
        integers = last[0]
    sizes = [-1, height, read // place.block, place.block * channels]
    shape = _add(graph, f"{name}.blocks.shape", sizes)
    return [
        *made,
        helper.make_node("Reshape", [integers, shape], [f"{name}.blocks"], f"{name}/blocks"),
        helper.make_node(
            "Transpose",
            [f"{name}.blocks"],
            [f"{name}.blocks.first"],
            f"{name}/blocks/first",
            perm=[0, 3, 1, 2],
        ),
    ]


def _side_by_side(graph: onnx.GraphProto, place: _Place) -> list[onnx.NodeProto]:
    """[B, n O, H, W / n] -> [B, O, H, W], in the layout where that moves nothing."""
    name, (height, width) = place.conv.name, place.out_size
    given = place.blocks_out * place.together
    shape = _add(graph, f"{name}.wide.shape", [-1, height, given, place.kernel[0]])
    made = [
        helper.make_node(
            "Transpose", [f"{name}.wide.q"], [f"{name}.last"], f"{name}/last", perm=[0, 2, 3, 1]
        ),
        helper.make_node("Reshape", [f"{name}.last", shape], [f"{name}.flat"], f"{name}/flat"),
    ]
    if given > width:
        ends = [_add(graph, f"{name}.cut.{i}", [end]) for i, end in enumerate((0, width, 2))]
        made.append(
            helper.make_node("Slice", [f"{name}.flat", *ends], [f"{name}.cut"], f"{name}/cut")
        )
    made.append(
        helper.make_node(
            "Transpose",
            [made[-1].output[0]],
            [place.quantize.output[0]],
            f"{name}/first",
            perm=[0, 3, 1, 2],
        )
    )
    return made


def _wide_constant(
    graph: onnx.GraphProto, narrow: onnx.NodeProto, values: NDArray[Any], count: int
) -> onnx.NodeProto:
    """A DequantizeLinear of `values`, with the scales of the narrow one for every neighbour."""
    stem = f"{narrow.output[0]}.wide"
    inputs = [_add(graph, f"{stem}.values", values)]
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
