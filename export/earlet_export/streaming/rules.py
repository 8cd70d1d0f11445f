"""Which steps of its input each operator reads: one rule per kind of operator.

A rule looks at a node of which at least one input flows, and answers `Moved` or `Blocked`. Whatever
has no rule is blocked: nothing streams that was not thought through.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from earlet_export.passes.wiring import attribute
from earlet_export.streaming.flow import Blocked, Flow, Moved, Reach

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A node and what is known around it.

    `flows`: of its inputs that run along time; `shapes`: of all tensors in a window, 0 for the open
    batch; `constants`: values of the tensors that are known beforehand.
    """

    node: onnx.NodeProto
    flows: Mapping[str, Flow]
    shapes: Mapping[str, Shape]
    constants: Mapping[str, NDArray[Any]]

    @property
    def flow(self) -> Flow:
        """Of the first input that flows."""
        return next(self.flows[name] for name in self.node.input if name in self.flows)

    @property
    def source(self) -> str:
        """The first input that flows."""
        name: str = next(name for name in self.node.input if name in self.flows)
        return name

    def rank(self, tensor: str) -> int:
        """Number of axes."""
        return len(self.shapes[tensor])

    def constant(self, place: int) -> NDArray[Any] | None:
        """Value of an input; None where it has none or it is computed."""
        inputs = self.node.input
        return self.constants.get(inputs[place]) if place < len(inputs) else None


Rule = Callable[[Site], Moved | Blocked]

PADS = "it pads time at the ends of every window, where a stream has the sound itself"
WHOLE = "average over time before it, or put it after the network's last convolution"


def rule_of(site: Site) -> Moved | Blocked:
    """What the node does along time."""
    rule = RULES.get(site.node.op_type)
    if rule is None:
        return Blocked(why=f"how {site.node.op_type} runs along time is not known")
    moved = rule(site)
    if isinstance(moved, Moved) and (late := _longer_than_it_reaches(site, moved)):
        return late
    return moved


def _longer_than_it_reaches(site: Site, moved: Moved) -> Blocked | None:
    """A window's output that has more steps than its input can give was padded somehow."""
    reach = moved.reach
    given = min(flow.length for flow in site.flows.values())
    possible = (given - 1 - reach.last) // reach.stride + 1
    made = site.shapes[site.node.output[0]][moved.axis]
    if made > possible:
        return Blocked(
            why=f"it makes {made} steps of {given}, where {possible} are real",
            change="let it invent nothing at a window's ends",
        )
    return None


def _pointwise(site: Site) -> Moved | Blocked:
    """Each moment by itself; constants must be the same at all moments."""
    out = site.rank(site.node.output[0])
    from_end = {flow.axis - site.rank(name) for name, flow in site.flows.items()}
    if len(from_end) > 1:
        return Blocked(why="it combines tensors whose time lies in different places")
    (place,) = from_end
    for name in site.node.input:
        if name in site.constants:
            shape = site.constants[name].shape
            if len(shape) >= -place and shape[place] > 1:
                return Blocked(
                    why=f"it has a weight of its own for each of {shape[place]} moments",
                    change="use the same weight at all moments",
                )
    return Moved(axis=out + place)


def _quantized(site: Site) -> Moved | Blocked:
    """Scales and zero points: for the whole tensor, or one per channel."""
    flow, scale = site.flow, site.constant(1)
    axis = attribute(site.node, "axis", 1) % site.rank(site.source)
    if scale is None or (scale.size > 1 and axis == flow.axis):
        return Blocked(why="its scale differs from moment to moment")
    return Moved(axis=flow.axis)


def _conv(site: Site) -> Moved | Blocked:
    """Kernel over time k, dilation d, stride s: steps s j to s j + (k - 1) d."""
    flow, weight = site.flow, site.node.input[1]
    if list(site.flows) != [site.node.input[0]]:
        return Blocked(why="its kernel is computed from the sound")
    if flow.axis < 2:
        return Blocked(why="it takes moments for channels", change="let it run along time")
    return _window(site, kernel=site.shapes[weight][2:])


def _pool(site: Site) -> Moved | Blocked:
    """The same, the kernel's size said by an attribute."""
    flow = site.flow
    if flow.axis < 2:
        return Blocked(why="it takes moments for channels", change="let it run along time")
    return _window(site, kernel=tuple(attribute(site.node, "kernel_shape", [1])))


def _window(site: Site, *, kernel: Shape) -> Moved | Blocked:
    """Anything that slides a kernel along the spatial axes, of which time is one."""
    node, place = site.node, site.flow.axis - 2
    spatial = len(kernel)
    stride = attribute(node, "strides", [1] * spatial)[place]
    dilation = attribute(node, "dilations", [1] * spatial)[place]
    pads = attribute(node, "pads", [0] * (2 * spatial))
    same = attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    if (same and kernel[place] > 1) or pads[place] or pads[spatial + place]:
        return Blocked(why=PADS, change="set its padding along time to 0")
    return Moved(
        axis=site.flow.axis, reach=Reach(stride=stride, last=(kernel[place] - 1) * dilation)
    )


def _slice(site: Site) -> Moved | Blocked:
    """Cutting p steps off the front of time is only a delay; every s-th step is a stride."""
    flow, rank = site.flow, site.rank(site.source)
    starts, ends, axes, steps = (site.constant(i) for i in (1, 2, 3, 4))
    if starts is None or ends is None:
        return Blocked(why="where it cuts is computed from the sound")
    along = [int(a) % rank for a in (range(len(starts)) if axes is None else axes.tolist())]
    if flow.axis not in along:
        return Moved(axis=flow.axis)
    i = along.index(flow.axis)
    step = 1 if steps is None else int(steps[i])
    if step < 1:
        return Blocked(why="it turns time round")
    start = int(starts[i])
    first = min(max(start + flow.length if start < 0 else start, 0), flow.length)
    return Moved(axis=flow.axis, reach=Reach(stride=step, first=first, last=first))


def _concat(site: Site) -> Moved | Blocked:
    """Along any other axis than time."""
    flow = site.flow
    axis = attribute(site.node, "axis", 0) % site.rank(site.node.output[0])
    if {f.axis for f in site.flows.values()} != {flow.axis}:
        return Blocked(why="it joins tensors whose time lies in different places")
    if axis == flow.axis:
        return Blocked(why="it puts tensors one after the other in time", change=WHOLE)
    if len(site.flows) < len(set(site.node.input)):
        return Blocked(why="it joins weights of fixed moments to the sound")
    return Moved(axis=flow.axis)


def _split(site: Site) -> Moved | Blocked:
    flow = site.flow
    if attribute(site.node, "axis", 0) % site.rank(site.source) == flow.axis:
        return Blocked(why="it splits time", change=WHOLE)
    return Moved(axis=flow.axis)


def _transpose(site: Site) -> Moved | Blocked:
    rank = site.rank(site.source)
    order = list(attribute(site.node, "perm", list(range(rank))[::-1]))
    return Moved(axis=order.index(site.flow.axis))


def _reshape(site: Site) -> Moved | Blocked:
    """Fine where time stays an axis of its own, with as much before and behind it as there was."""
    before, after = site.shapes[site.source], site.shapes[site.node.output[0]]
    axis = _kept_axis(before, after, site.flow.axis)
    if axis is None:
        return Blocked(
            why="it folds time together with other axes, so that what follows reads all moments "
            "of a window at once",
            change="average over time before it",
        )
    return Moved(axis=axis)


def _kept_axis(before: Shape, after: Shape, axis: int) -> int | None:
    """Where the axis lies after a reshape; None where it is torn or merged."""
    # Both begin with the batch.
    if before[0] or not after or after[0]:
        return None
    for place in range(1, len(after)):
        if (
            after[place] == before[axis]
            and math.prod(after[1:place]) == math.prod(before[1:axis])
            and math.prod(after[place + 1 :]) == math.prod(before[axis + 1 :])
        ):
            return place
    return None


def _squeeze(site: Site) -> Moved | Blocked:
    """Axes of size 1 go; time behind them moves up."""
    axes, shape = site.constant(1), site.shapes[site.source]
    gone = [i for i, d in enumerate(shape) if d == 1] if axes is None else axes.tolist()
    return _without(site, [int(a) % len(shape) for a in gone])


def _without(site: Site, gone: list[int]) -> Moved | Blocked:
    axis = site.flow.axis
    if axis in gone:
        return Blocked(why="it takes the axis of time away")
    return Moved(axis=axis - sum(a < axis for a in gone))


def _unsqueeze(site: Site) -> Moved | Blocked:
    axes = site.constant(1)
    if axes is None:
        return Blocked(why="its axes are computed")
    rank = site.rank(site.node.output[0])
    new = {int(a) % rank for a in axes.tolist()}
    left = [i for i in range(rank) if i not in new]
    return Moved(axis=left[site.flow.axis])


def _reduce(site: Site) -> Moved | Blocked:
    """Over other axes than time."""
    axes, rank = site.constant(1), site.rank(site.source)
    over = list(range(rank)) if axes is None else [int(a) % rank for a in axes.tolist()]
    if site.flow.axis in over:
        return Blocked(why="it goes over all moments of a window")
    if attribute(site.node, "keepdims", 1):
        return Moved(axis=site.flow.axis)
    return _without(site, over)


def _global_pool(site: Site) -> Moved | Blocked:
    if site.flow.axis >= 2:
        return Blocked(why="it goes over all moments of a window")
    return Moved(axis=site.flow.axis)


def _gemm(_: Site) -> Moved | Blocked:
    """[B, D]: time can only be what it sums over."""
    return Blocked(why="it reads all moments of a window at once", change=WHOLE)


def _softmax(site: Site) -> Moved | Blocked:
    axis = attribute(site.node, "axis", -1) % site.rank(site.source)
    if axis == site.flow.axis:
        return Blocked(why="it weighs the moments of a window against each other")
    return Moved(axis=site.flow.axis)


def _layer_norm(site: Site) -> Moved | Blocked:
    axis = attribute(site.node, "axis", -1) % site.rank(site.source)
    if axis <= site.flow.axis:
        return Blocked(
            why="it normalizes by all moments of a window",
            change="use BatchNorm, whose statistics are fixed",
        )
    return Moved(axis=site.flow.axis)


def _instance_norm(_: Site) -> Moved | Blocked:
    return Blocked(
        why="it normalizes by all moments of a window",
        change="use BatchNorm, whose statistics are fixed",
    )


def _matmul(site: Site) -> Moved | Blocked:
    """A matrix applied at each moment: time may not be what the product sums over."""
    left, right = site.node.input[:2]
    flow, rank = site.flow, site.rank(site.source)
    if len(site.flows) > 1:
        return Blocked(why="it multiplies the sound by itself", change=WHOLE)
    summed = rank - 1 if site.source == left else rank - 2
    if flow.axis == summed or rank < 3:
        return Blocked(why="it reads all moments of a window at once", change=WHOLE)
    other = site.shapes[right if site.source == left else left]
    if len(other) > 2 and any(d > 1 for d in other[:-2]) and flow.axis < rank - 2:
        return Blocked(why="it has a matrix of its own for each moment")
    return Moved(axis=flow.axis + site.rank(site.node.output[0]) - rank)


def _pad(site: Site) -> Moved | Blocked:
    pads, rank = site.constant(1), site.rank(site.source)
    axes = site.constant(3)
    if pads is None:
        return Blocked(why="how much it pads is computed")
    over = list(range(rank)) if axes is None else [int(a) % rank for a in axes.tolist()]
    if site.flow.axis in over:
        i = over.index(site.flow.axis)
        if pads[i] or pads[len(over) + i]:
            return Blocked(why=PADS, change="set its padding along time to 0")
    return Moved(axis=site.flow.axis)


def _gather(site: Site) -> Moved | Blocked:
    """Chosen rows of another axis than time."""
    indices, flow = site.constant(1), site.flow
    axis = attribute(site.node, "axis", 0) % site.rank(site.source)
    if indices is None or axis == flow.axis:
        return Blocked(why="it chooses among moments", change=WHOLE)
    return Moved(axis=flow.axis + (np.ndim(indices) - 1 if axis < flow.axis else 0))


def _recurrent(_: Site) -> Moved | Blocked:
    return Blocked(
        why="it begins anew in every window",
        change="use convolutions, which remember a fixed stretch of time",
    )


def _batch_norm(site: Site) -> Moved | Blocked:
    if site.flow.axis == 1:
        return Blocked(why="it has statistics of its own for each moment", change=WHOLE)
    return Moved(axis=site.flow.axis)


_POINTWISE = (
    *("Abs", "Add", "Cast", "Ceil", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu"),
    *("HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Min", "Mul", "Neg"),
    *("PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Softplus"),
    *("Sqrt", "Sub", "Tanh", "Where"),
)

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_POINTWISE, _pointwise),
    "AveragePool": _pool,
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "Conv": _conv,
    "DequantizeLinear": _quantized,
    "Flatten": _reshape,
    "GRU": _recurrent,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "InstanceNormalization": _instance_norm,
    "LSTM": _recurrent,
    "LayerNormalization": _layer_norm,
    "LogSoftmax": _softmax,
    "LpPool": _pool,
    "MatMul": _matmul,
    "MaxPool": _pool,
    "Pad": _pad,
    "QuantizeLinear": _quantized,
    "ReduceL1": _reduce,
    "ReduceL2": _reduce,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceMin": _reduce,
    "ReduceSum": _reduce,
    "ReduceSumSquare": _reduce,
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
