"""Lays a model's maps out moment by moment: [B, C, N, F] in place of [B, C, F, N].

A stream keeps the last few moments of a map and puts the next ones behind them. With time as the
last axis these are a few numbers at the end of every row, gathered and scattered one by one; with
the frequencies last each moment lies in one piece. By hand, on a copy of the shipped network with
random weights, fp32, streaming, without its frontend: 0.83 of the time.

Rules, from the input `features` on:

1. `features` is transposed once; what comes of it is *turned*: axes 2 and 3 changed places. (A
   single channel in a way that ONNX Runtime cannot merge with its own transpose to channels last:
   of both it would make one that goes number by number, 20 times slower.)
2. An operator on turned maps reads and makes turned ones; its kernel, strides, paddings, axes and
   constants are turned with them. One that takes axes away (a mean, a Squeeze) or is a Transpose
   itself makes what it made before. A Reshape stays as it is where one of the two axes has size 1:
   the numbers lie in the same order either way.
3. Any other operator gets its input turned back.
4. Where more numbers would be turned back than `features` has, or nothing would be gained as no
   convolution is turned, the graph stays as it was.

Needs: a model graph as `earlet_export.trace` makes it, not quantized yet. Leaves: the same inputs,
outputs and names of nodes and of what they make; answers that differ by the order in which sums are
added up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from earlet_export.passes.wiring import Wiring, attribute, without_unread

Shape = tuple[int, ...]
Values = NDArray[np.generic]
TURN = (0, 1, 3, 2)


def time_major(model: onnx.ModelProto) -> onnx.ModelProto:
    """Model graph, features [B, C, F, N] in -> the same computed on [B, C, N, F]."""
    source = model.graph.input[0].name
    shapes = _shapes(model)
    turning = _Turning(model=model, shapes=shapes, wiring=Wiring.of(model.graph))
    turned = turning.made(source)
    if not turning.convolutions or turning.turned_back > math.prod(shapes[source][1:]):
        return model
    return turned


@dataclass
class _Turning:
    """The work on one graph. `turned`: tensors that are held so, by their names before."""

    model: onnx.ModelProto
    shapes: dict[str, Shape]
    wiring: Wiring
    turned: set[str] = field(default_factory=set)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    convolutions: int = 0
    turned_back: int = 0

    def made(self, source: str) -> onnx.ModelProto:
        """The turned graph."""
        made = onnx.ModelProto()
        made.CopyFrom(self.model)
        self.turned.add(source)
        first = self._first(source)
        for original in self.model.graph.node:
            node = onnx.NodeProto()
            node.CopyFrom(original)
            if self.turned.intersection(node.input):
                rule = _RULES.get(node.op_type)
                if rule is not None and rule(node, self):
                    node.input[:] = [f"{source}.turned" if x == source else x for x in node.input]
                    self.convolutions += node.op_type == "Conv"
                else:
                    self._give_back(node)
            self.nodes.append(node)
        del made.graph.node[:]
        made.graph.node.extend([*first, *self.nodes])
        made.graph.initializer.extend(self.constants.values())
        without_unread(made)
        return made

    def rank(self, tensor: str) -> int:
        """Number of axes."""
        return len(self.shapes[tensor])

    def neutral(self, tensor: str) -> bool:
        """Whether it is the same turned and not."""
        return all(size == 1 for size in self.shapes[tensor][-2:])

    def keep_turned(self, node: onnx.NodeProto) -> bool:
        """What the node makes is turned."""
        self.turned.update(filter(None, node.output))
        return True

    def constant(self, node: onnx.NodeProto, place: int) -> Values | None:
        """The value of an input; None where it has none or it is computed."""
        return self.wiring.value(node.input[place]) if place < len(node.input) else None

    def put(self, node: onnx.NodeProto, place: int, value: Values) -> None:
        """Another constant in the place of one."""
        name = f"{node.input[place]}.turned"
        # Nodes may share a constant and want different things of it.
        name = name if name not in self.constants else f"{name}.{node.name}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        node.input[place] = name

    def _first(self, source: str) -> list[onnx.NodeProto]:
        """Rule 1."""
        turned = f"{source}.turned"
        _, channels, bins, _ = self.shapes[source]
        if channels != 1:
            return [self._transposed(source, turned)]
        shape = numpy_helper.from_array(np.array([0, 1, -1, bins]), f"{turned}:shape")
        self.constants[shape.name] = shape
        moved = self._transposed(source, f"{turned}:moved", order=(0, 3, 1, 2))
        label = f"{self.model.graph.name}/{turned}"
        return [
            moved,
            helper.make_node("Reshape", [*moved.output, shape.name], [turned], name=label),
        ]

    def _give_back(self, node: onnx.NodeProto) -> None:
        for place, name in enumerate(node.input):
            if name not in self.turned:
                continue
            back = f"{name}.back"
            if all(back not in made.output for made in self.nodes):
                self.nodes.append(self._transposed(name, back))
                if 1 not in self.shapes[name][2:]:
                    self.turned_back += math.prod(self.shapes[name][1:])
            node.input[place] = back

    def _transposed(
        self, tensor: str, name: str, *, order: tuple[int, ...] = TURN
    ) -> onnx.NodeProto:
        prefix = self.model.graph.name
        label = f"{prefix}/{name.removeprefix(f'{prefix}/')}"
        return helper.make_node("Transpose", [tensor], [name], name=label, perm=order)


_Rule = Callable[[onnx.NodeProto, _Turning], bool]


def _pointwise(node: onnx.NodeProto, at: _Turning) -> bool:
    """Each number by itself; constants are turned with the maps."""
    constants = []
    for place, name in enumerate(node.input):
        if not name or name in at.turned:
            continue
        value = at.constant(node, place)
        if value is None:
            if at.rank(name) != 4 or not at.neutral(name):
                return False
        elif value.ndim and value.size > 1 and max(value.shape[-2:]) > 1:
            constants.append((place, value))
    for place, value in constants:
        at.put(node, place, np.swapaxes(np.atleast_2d(value), -1, -2))
    return at.keep_turned(node)


def _channelwise(node: onnx.NodeProto, at: _Turning) -> bool:
    """Statistics of channels, and means over both axes at once."""
    return at.keep_turned(node)


def _conv(node: onnx.NodeProto, at: _Turning) -> bool:
    weight = at.constant(node, 1)
    if weight is None or node.input[0] not in at.turned:
        return False
    if max(weight.shape[2:]) > 1:
        at.put(node, 1, weight.transpose(TURN))
    _swap_window(node)
    return at.keep_turned(node)


def _pool(node: onnx.NodeProto, at: _Turning) -> bool:
    if len(node.output) > 1:
        return False
    _swap_window(node)
    return at.keep_turned(node)


def _swap_window(node: onnx.NodeProto) -> None:
    for found in node.attribute:
        if found.name in ("kernel_shape", "strides", "dilations"):
            found.ints[:] = found.ints[::-1]
        elif found.name == "pads":
            top, left, bottom, right = found.ints
            found.ints[:] = (left, top, right, bottom)


def _along(node: onnx.NodeProto, at: _Turning) -> bool:
    """An operator with one axis."""
    if any(name not in at.turned and not at.neutral(name) for name in node.input if name):
        return False
    axis = attribute(node, "axis", _DEFAULT_AXIS[node.op_type]) % 4
    kept = [found for found in node.attribute if found.name != "axis"]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute("axis", TURN[axis])])
    return at.keep_turned(node)


_DEFAULT_AXIS = {"Concat": 0, "Split": 0, "Softmax": -1, "LogSoftmax": -1}


def _split(node: onnx.NodeProto, at: _Turning) -> bool:
    if node.input[0] not in at.turned:
        return False
    turned = onnx.NodeProto()
    turned.CopyFrom(node)
    del turned.input[1:]
    if not _along(turned, at):
        return False
    del node.attribute[:]
    node.attribute.extend(turned.attribute)
    return True


def _slice(node: onnx.NodeProto, at: _Turning) -> bool:
    starts, axes = at.constant(node, 1), at.constant(node, 3)
    if starts is None or node.input[0] not in at.turned or (len(node.input) > 3 and axes is None):
        return False
    over = range(len(starts)) if axes is None else axes.tolist()
    turned = np.array([TURN[axis % 4] for axis in over], np.int64)
    while len(node.input) < 4:
        node.input.append(f"{node.name}:axes")
    at.put(node, 3, turned)
    return at.keep_turned(node)


def _pad(node: onnx.NodeProto, at: _Turning) -> bool:
    pads, axes = at.constant(node, 1), at.constant(node, 3)
    if pads is None or (len(node.input) > 3 and axes is None):
        return False
    if axes is None:
        at.put(node, 1, pads.reshape(2, 4)[:, TURN].ravel())
    else:
        at.put(node, 3, np.array([TURN[axis % 4] for axis in axes.tolist()], np.int64))
    return at.keep_turned(node)


def _reduce(node: onnx.NodeProto, at: _Turning) -> bool:
    """Axes that go leave the others in one order only if one of the two exchanged goes."""
    axes = at.constant(node, 1)
    over = range(4) if axes is None else [int(axis) % 4 for axis in axes.tolist()]
    keeps = bool(attribute(node, "keepdims", 1))
    if not keeps and not {2, 3}.intersection(over):
        return False
    if axes is not None and len({2, 3}.intersection(over)) == 1:
        at.put(node, 1, np.array(sorted(TURN[axis] for axis in over), np.int64))
    return at.keep_turned(node) if keeps else True


def _squeeze(node: onnx.NodeProto, at: _Turning) -> bool:
    axes = at.constant(node, 1)
    if axes is None:
        return False
    over = [int(axis) % 4 for axis in axes.tolist()]
    if not {2, 3}.intersection(over):
        return False
    at.put(node, 1, np.array(sorted(TURN[axis] for axis in over), np.int64))
    return True


def _transpose(node: onnx.NodeProto, at: _Turning) -> bool:
    order = attribute(node, "perm", [3, 2, 1, 0])
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("perm", [TURN[axis] for axis in order]))
    return True


def _reshape(node: onnx.NodeProto, at: _Turning) -> bool:
    """The same numbers in the same order, where one of the two axes has size 1."""
    wanted = at.constant(node, 1)
    copies = node.op_type == "Reshape" and (wanted is None or 0 in wanted.tolist()[2:])
    return node.input[0] in at.turned and 1 in at.shapes[node.input[0]][2:] and not copies


def _shape(node: onnx.NodeProto, at: _Turning) -> bool:
    """Batch and channels stand where they stood."""
    return attribute(node, "start", 0) >= 0 and 0 < attribute(node, "end", 4) <= 2


_POINTWISE = (
    *("Abs", "Add", "Cast", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish"),
    *("Identity", "LeakyRelu", "Log", "Max", "Min", "Mul", "Neg", "PRelu", "Pow", "Reciprocal"),
    *("Relu", "Selu", "Sigmoid", "Sign", "Softplus", "Sqrt", "Sub", "Tanh"),
)
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_POINTWISE, _pointwise),
    "AveragePool": _pool,
    "BatchNormalization": _channelwise,
    "Concat": _along,
    "Conv": _conv,
    "Flatten": _reshape,
    "GlobalAveragePool": _channelwise,
    "GlobalMaxPool": _channelwise,
    "LogSoftmax": _along,
    "MaxPool": _pool,
    "Pad": _pad,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceMin": _reduce,
    "ReduceSum": _reduce,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Softmax": _along,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
}


def _shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Of all tensors, 0 for what is open."""
    inferred = onnx.shape_inference.infer_shapes(model)
    values = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    found = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in values}
    return found | {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
