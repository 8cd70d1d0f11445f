"""Where the readers of a tensor can take over a scale and shift of it: rules going forward.

Each rule: this operator reads scale * x + shift and is to read x instead. All readers of a tensor
must be able to, for the tensor itself changes.
"""

import math
from collections.abc import Callable

import numpy as np
import onnx

from earlet_export.passes.absorb import Shapes
from earlet_export.passes.affine import Affine, Floats
from earlet_export.passes.edits import Plan, Slot, merged
from earlet_export.passes.wiring import Wiring, attribute


def hand_on(tensor: str, given: Affine, wiring: Wiring, shapes: Shapes) -> Plan | None:
    """The new constants with which x in place of scale * x + shift does as well; None: none do."""
    readers = wiring.readers.get(tensor, [])
    if not readers or tensor in wiring.outputs:
        return None
    plans: list[Plan | None] = []
    for node in readers:
        rule = _RULES.get(node.op_type)
        if rule is None or list(node.input).count(tensor) > 1:
            return None
        plans.append(rule(node, tensor, given, wiring, shapes))
    return merged(plans)


def _conv(
    node: onnx.NodeProto, tensor: str, given: Affine, wiring: Wiring, _: Shapes
) -> Plan | None:
    """W * (s x + t) + b = (s W) * x + (b + sum of t W), each input channel's weights its own s, t.

    Zeros that pad s x + t are not zeros in x: exact with a padding only where t = 0.
    """
    weight = wiring.value(node.input[1])
    bias = _bias(node, wiring)
    padded = any(attribute(node, "pads", [0])) or attribute(node, "auto_pad", b"NOTSET") not in (
        b"NOTSET",
        b"VALID",
    )
    if weight is None or bias is None or node.input[0] != tensor or given.axis != 1:
        return None
    if padded and given.shifts:
        return None
    groups: int = attribute(node, "group", 1)
    outputs, inputs = weight.shape[:2]
    # Output channel o reads the channels of its own group, in order.
    of_group = np.repeat(np.arange(groups), outputs // groups)[:, None] * inputs
    seen = of_group + np.arange(inputs)
    kernel = (outputs, inputs, *[1] * (weight.ndim - 2))
    weight = weight.astype(np.float64)
    moved = (weight * given.shift[seen].reshape(kernel)).reshape(outputs, -1).sum(axis=1)
    return {
        Slot(node=node.name, place=1): weight * given.scale[seen].reshape(kernel),
        Slot(node=node.name, place=2): bias + moved,
    }


def _gemm(
    node: onnx.NodeProto, tensor: str, given: Affine, wiring: Wiring, _: Shapes
) -> Plan | None:
    """The same for a layer, which pads nothing."""
    weight = wiring.value(node.input[1])
    bias = _bias(node, wiring)
    plain = attribute(node, "alpha", 1.0) == attribute(node, "beta", 1.0) == 1.0
    if weight is None or bias is None or node.input[0] != tensor or given.axis != 1:
        return None
    if attribute(node, "transA", 0) or not plain:
        return None
    numbers: Floats = weight.astype(np.float64)
    if attribute(node, "transB", 0):
        return {
            Slot(node=node.name, place=1): numbers * given.scale,
            Slot(node=node.name, place=2): bias + numbers @ given.shift,
        }
    return {
        Slot(node=node.name, place=1): numbers * given.scale[:, None],
        Slot(node=node.name, place=2): bias + given.shift @ numbers,
    }


def _homogeneous(
    node: onnx.NodeProto, _: str, given: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """f(s x) = s f(x) for s > 0: the scale goes on behind ReLU, leaky ReLU and PReLU."""
    if given.shifts or not given.positive:
        return None
    return hand_on(node.output[0], given, wiring, shapes)


def _largest(
    node: onnx.NodeProto, _: str, given: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """MaxPool chooses from values whose order s > 0 keeps. (Its padding is -inf.)"""
    return hand_on(node.output[0], given, wiring, shapes) if given.positive else None


def _mean(
    node: onnx.NodeProto, _: str, given: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """mean(s x + t) = s mean(x) + t, where no zeros of a padding are counted in."""
    padded = any(attribute(node, "pads", [0])) and attribute(node, "count_include_pad", 0)
    if padded or attribute(node, "ceil_mode", 0):
        return None
    return hand_on(node.output[0], given, wiring, shapes)


def _flat(
    node: onnx.NodeProto, _: str, given: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """[B, C, H, W] laid out as [B, C H W]: a channel's numbers count for H W places in a row."""
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    if len(before) < 2 or len(after) != 2 or given.axis != 1 or None in before[1:]:
        return None
    places = math.prod(size for size in before[2:] if size is not None)
    if after[1] != len(given.scale) * places:
        return None
    return hand_on(node.output[0], given.repeated(places), wiring, shapes)


def _concat(
    node: onnx.NodeProto, tensor: str, given: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """Among the channels of the other parts, which are left alone."""
    axis: int = attribute(node, "axis", 0)
    if axis != given.axis:
        return None
    sizes = [shapes.get(name, ())[axis : axis + 1] for name in node.input]
    channels = [size[0] for size in sizes if size and size[0] is not None]
    if len(channels) < len(node.input):
        return None
    begin = sum(channels[: list(node.input).index(tensor)])
    return hand_on(node.output[0], given.among(sum(channels), begin), wiring, shapes)


def _same(
    node: onnx.NodeProto, _: str, given: Affine, wiring: Wiring, shapes: Shapes
) -> Plan | None:
    """Nothing happens in it."""
    return hand_on(node.output[0], given, wiring, shapes)


def _bias(node: onnx.NodeProto, wiring: Wiring) -> Floats | None:
    """The layer's bias, 0 where it has none; None where it is computed."""
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(1)
    value = wiring.value(node.input[2])
    return None if value is None else value.astype(np.float64)


_RULES: dict[str, Callable[[onnx.NodeProto, str, Affine, Wiring, Shapes], Plan | None]] = {
    "Conv": _conv,
    "Gemm": _gemm,
    "Relu": _homogeneous,
    "LeakyRelu": _homogeneous,
    "PRelu": _homogeneous,
    "MaxPool": _largest,
    "GlobalMaxPool": _largest,
    "AveragePool": _mean,
    "GlobalAveragePool": _mean,
    "Flatten": _flat,
    "Reshape": _flat,
    "Concat": _concat,
    "Identity": _same,
    "Dropout": _same,
}
