"""Where the makers of a tensor can take over a scale and shift of it: rules going backward.

Each rule: the tensor x was made by this operator, and scale * x + shift is wanted in its place.
Every tensor on the way must have no other reader, which would get the changed values.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx

from earlet_export.passes.affine import Affine, Floats
from earlet_export.passes.edits import Plan, Slot, merged
from earlet_export.passes.wiring import Wiring, attribute

Shapes = Mapping[str, tuple[int | None, ...]]


def absorb(tensor: str, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """The new constants with which `tensor` comes out as scale * x + shift; None: it cannot be."""
    maker = wiring.maker.get(tensor)
    if maker is None or wiring.only_reader(tensor) is None:
        return None
    rule = _RULES.get(maker.op_type)
    return None if rule is None else rule(maker, wanted, wiring, shapes)


def _conv(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, _: Shapes) -> Plan | None:
    """A convolution is linear in its weights: s * (W * x + b) + t = (s W) * x + (s b + t)."""
    weight = wiring.value(node.input[1])
    bias = _bias(node, wiring, len(wanted.scale))
    if weight is None or bias is None or wanted.axis != 1:
        return None
    scale = wanted.scale.reshape(-1, *[1] * (weight.ndim - 1))
    return {
        Slot(node=node.name, place=1): weight.astype(np.float64) * scale,
        Slot(node=node.name, place=2): bias * wanted.scale + wanted.shift,
    }


def _gemm(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, _: Shapes) -> Plan | None:
    """The same for a layer of weights [K, C], stored [C, K] where transB says so."""
    weight = wiring.value(node.input[1])
    bias = _bias(node, wiring, len(wanted.scale))
    plain = attribute(node, "alpha", 1.0) == attribute(node, "beta", 1.0) == 1.0
    if weight is None or bias is None or wanted.axis != 1 or not plain:
        return None
    scale = wanted.scale[:, None] if attribute(node, "transB", 0) else wanted.scale
    return {
        Slot(node=node.name, place=1): weight.astype(np.float64) * scale,
        Slot(node=node.name, place=2): bias * wanted.scale + wanted.shift,
    }


def _matmul(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """Weights without a bias: a scale of the last axis, no shift."""
    weight = wiring.value(node.input[1])
    rank = len(shapes.get(node.output[0], ()))
    if weight is None or weight.ndim != 2 or wanted.shifts or wanted.axis != rank - 1:
        return None
    return {Slot(node=node.name, place=1): weight.astype(np.float64) * wanted.scale}


def _add(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """Of s (a + b) + t = (s a + t) + s b a constant takes the shift, else the first of the two."""
    first, second = node.input
    if first == second:
        return None
    for constant, other, place in ((first, second, 0), (second, first, 1)):
        value = wiring.value(constant)
        if value is not None:
            rank = len(shapes.get(node.output[0], ()))
            if len(shapes.get(other, ())) != rank or value.ndim > rank:
                return None
            scale, shift = wanted.along(rank)
            plan: Plan = {
                Slot(node=node.name, place=place): value.astype(np.float64) * scale + shift
            }
            return merged([plan, absorb(other, wanted.scaling(), wiring, shapes)])
    if shapes.get(first) != shapes.get(second) or first not in shapes:
        return None
    return merged(
        [
            absorb(first, wanted, wiring, shapes),
            absorb(second, wanted.scaling(), wiring, shapes),
        ]
    )


def _homogeneous(
    node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """ReLU, leaky ReLU, PReLU: f(s x) = s f(x) for s > 0. A shift does not pass, nor a sign."""
    if wanted.shifts or not wanted.positive:
        return None
    return absorb(node.input[0], wanted, wiring, shapes)


def _largest(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """MaxPool chooses one of its values, and s > 0 keeps their order. (Its padding is -inf.)"""
    return absorb(node.input[0], wanted, wiring, shapes) if wanted.positive else None


def _largest_of(
    node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """Max of tensors: max(s a + t, s b + t) = s max(a, b) + t for s > 0.

    Often of the two halves of one tensor's channels (max feature map): then of the whole.
    """
    if not wanted.positive or len(set(node.input)) < len(node.input):
        return None
    if len({shapes.get(name) for name in node.input}) > 1:
        return None
    makers = [wiring.maker.get(name) for name in node.input]
    split = makers[0]
    if split is not None and split.op_type == "Split" and all(m is split for m in makers):
        whole = len(split.output) == len(node.input) == 2 and list(split.output) == list(node.input)
        alone = all(wiring.only_reader(name) is not None for name in split.output)
        if not (whole and alone and _axis(split, shapes) == wanted.axis):
            return None
        return absorb(split.input[0], wanted.twice(), wiring, shapes)
    return merged([absorb(name, wanted, wiring, shapes) for name in node.input])


def _mean(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """The mean of s x + t is s mean(x) + t, where no zeros of a padding are counted in."""
    padded = any(attribute(node, "pads", [0])) and attribute(node, "count_include_pad", 0)
    if padded or attribute(node, "ceil_mode", 0):
        return None
    return absorb(node.input[0], wanted, wiring, shapes)


def _reduced(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """The mean over axes other than the channels', which may move the channels' axis."""
    rank = len(shapes.get(node.input[0], ()))
    axes = wiring.value(node.input[1]) if len(node.input) > 1 else None
    if axes is None or not rank:
        return None
    gone = {int(axis) % rank for axis in axes.ravel()}
    kept = [a for a in range(rank) if attribute(node, "keepdims", 1) or a not in gone]
    axis = kept[wanted.axis] if wanted.axis < len(kept) else -1
    if axis < 0 or axis in gone:
        return None
    return absorb(node.input[0], wanted.moved(axis), wiring, shapes)


def _concat(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """Every part takes its own channels; of another axis, every part takes all."""
    if len(set(node.input)) < len(node.input):
        return None
    if _axis(node, shapes) != wanted.axis:
        return merged([absorb(name, wanted, wiring, shapes) for name in node.input])
    plans, begin = [], 0
    for name in node.input:
        channels = shapes.get(name, ())[wanted.axis : wanted.axis + 1]
        if not channels or channels[0] is None:
            return None
        end = begin + channels[0]
        plans.append(absorb(name, wanted.part(begin, end), wiring, shapes))
        begin = end
    return merged(plans)


def _transpose(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """The channels lie along another axis before it."""
    order: list[int] = attribute(node, "perm", [])
    if not order:
        return None
    return absorb(node.input[0], wanted.moved(order[wanted.axis]), wiring, shapes)


def _same(node: onnx.NodeProto, wanted: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """Nothing happens in it."""
    return absorb(node.input[0], wanted, wiring, shapes)


def _axis(node: onnx.NodeProto, shapes: Shapes) -> int:
    axis: int = attribute(node, "axis", 0)
    return axis if axis >= 0 else axis + len(shapes.get(node.input[0], ()))


def _bias(node: onnx.NodeProto, wiring: Wiring, channels: int) -> Floats | None:
    """The layer's bias, zeros where it has none; None where it is computed."""
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(channels)
    value = wiring.value(node.input[2])
    return None if value is None else np.broadcast_to(value.astype(np.float64), (channels,))


_RULES: dict[str, Callable[[onnx.NodeProto, Affine, Wiring, Shapes], Plan | None]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Relu": _homogeneous,
    "LeakyRelu": _homogeneous,
    "PRelu": _homogeneous,
    "MaxPool": _largest,
    "GlobalMaxPool": _largest,
    "Max": _largest_of,
    "AveragePool": _mean,
    "GlobalAveragePool": _mean,
    "ReduceMean": _reduced,
    "Concat": _concat,
    "Transpose": _transpose,
    "Identity": _same,
    "Dropout": _same,
}
