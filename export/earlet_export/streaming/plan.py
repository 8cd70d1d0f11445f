"""Works out, for a whole graph, what streams, how far each tensor lags and how much of it is kept.

After each chunk every flowing tensor has `chunk / stride` new steps, the newest of them `delay`
steps behind the newest frame. A node that reads older steps than the new ones, because its kernel
reaches back or because its other input lags farther, finds them in a state: the last `kept` steps
of that tensor. What needs the whole window (the tail) reads its inputs from such states too, long
enough for a window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from earlet.errors import ParityError
from earlet_export.macs import layer_macs
from earlet_export.passes.wiring import Wiring
from earlet_export.streaming.flow import Blocked, Flow, Moved
from earlet_export.streaming.rules import RULES, Shape, Site, rule_of

# What is done anew for every window may be this much of a window's work; with more a stream would
# save little, and `exact` be a word without use.
MOST_TAIL = 0.25


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a node reads of a tensor at each chunk.

    `count` steps, the first of them `back` steps before the new ones.
    """

    back: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A node of the tail: where the stream ends, and why. `name`: the node's."""

    name: str
    blocked: Blocked

    @property
    def told(self) -> str:
        """In a line."""
        change = f": {self.blocked.change}" if self.blocked.change else ""
        return f"{self.name}: {self.blocked.why}{change}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What streams in a model graph whose input has `frames` frames per window.

    `flows`: tensor -> how it runs; `moved`: nodes that stream, by name; `stops`: those that do not
    and of which an input flows, in order; `tail_share`: of the graph's multiplications, the part
    that is done anew for every window, in 0..1; `stride`: frames that all tensors move on by
    together; `span`: frames from a window's first one to the newest that its answer waits for.
    """

    flows: Mapping[str, Flow]
    moved: Mapping[str, Moved]
    stops: tuple[Stop, ...]
    tail_share: float
    stride: int
    span: int
    shapes: Mapping[str, Shape]
    constants: Mapping[str, NDArray[Any]] = field(repr=False)

    @property
    def obstacle(self) -> Stop | None:
        """What keeps the network from being worth a stream; None where it is."""
        return self.stops[0] if self.tail_share > MOST_TAIL else None

    def steps(self, tensor: str, *, chunk_frames: int) -> int:
        """New steps of a tensor at each chunk."""
        return chunk_frames // self.flows[tensor].stride

    def reading(self, node: onnx.NodeProto, tensor: str, *, chunk_frames: int) -> Reading:
        """What a streaming node reads of its input."""
        given, reach = self.flows[tensor], self.moved[node.name].reach
        made = self.flows[node.output[0]]
        steps = chunk_frames // made.stride
        return Reading(
            back=reach.stride * made.delay - given.delay - reach.first,
            count=reach.stride * (steps - 1) + reach.last - reach.first + 1,
        )

    def window(self, tensor: str, *, span: int, chunk_frames: int) -> Reading:
        """What the tail reads of a tensor: the steps of one window, `span` frames back."""
        flow = self.flows[tensor]
        back = span // flow.stride - flow.delay - chunk_frames // flow.stride
        return Reading(back=back, count=flow.length)


def plan_model(model: onnx.ModelProto, *, time_axis: int = 3) -> Plan:
    """Model graph of a fixed window, features [B, C, F, N] in -> its plan.

    Raises ParityError where the graph's answer runs along time itself.
    """
    shapes, constants, wiring = _shapes(model), _constants(model), Wiring.of(model.graph)
    source = model.graph.input[0].name
    length = shapes[source][time_axis]
    flows = {source: Flow(axis=time_axis, length=length)}
    moved: dict[str, Moved] = {}
    whole: set[str] = set()
    stops: list[Stop] = []
    tail: list[str] = []
    for node in model.graph.node:
        read = [name for name in node.input if name]
        flowing = {name: flows[name] for name in read if name in flows}
        if whole.intersection(read):
            tail.append(node.name)
            whole.update(node.output)
            if flowing:
                stops.append(Stop(name=node.name, blocked=_AFTER))
        elif flowing:
            site = Site(node=node, flows=flowing, shapes=shapes, constants=constants)
            found, blamed = _judged(site), node
            if found is BATCH_MOVED:
                blamed = _recurrence_behind(node, wiring) or node
                found = RULES[blamed.op_type](site) if blamed is not node else found
            if isinstance(found, Blocked):
                tail.append(node.name)
                whole.update(node.output)
                # A shape is asked for by what stops the stream, and is no reason itself.
                if node.op_type != "Shape":
                    stops.append(Stop(name=blamed.name, blocked=found))
                continue
            moved[node.name] = found
            given = site.flow
            for output in filter(None, node.output):
                flows[output] = Flow(
                    axis=found.axis,
                    stride=given.stride * found.reach.stride,
                    delay=max(found.reach.delay(flow.delay) for flow in flowing.values()),
                    length=shapes[output][found.axis],
                )
    answer = model.graph.output[0].name
    if answer in flows:
        raise ParityError(
            f"the model's answer has a time axis of its own ({shapes[answer]}): it judges moments, "
            "not windows. Average over time in the model."
        )
    stride = max(flow.stride for flow in flows.values())
    rings = _rings(model, whole, flows)
    span = max(
        (flows[n].stride * (flows[n].delay + flows[n].length) for n in rings), default=length
    )
    return Plan(
        flows=flows,
        moved=moved,
        stops=tuple(stops),
        tail_share=_share(model, tail),
        stride=stride,
        span=span,
        shapes=shapes,
        constants=constants,
    )


def _judged(site: Site) -> Moved | Blocked:
    """The rule's word, where states can be kept for it."""
    if len({flow.stride for flow in site.flows.values()}) > 1:
        return Blocked(why="it combines tensors of different rates")
    found = rule_of(site)
    if isinstance(found, Moved) and (not found.axis or site.shapes[site.node.output[0]][0]):
        return BATCH_MOVED
    return found


BATCH_MOVED = Blocked(why="it moves the batch away from the front")


def _recurrence_behind(node: onnx.NodeProto, wiring: Wiring) -> onnx.NodeProto | None:
    """The LSTM or GRU for whose sake the axes are exchanged, if it is one's."""
    behind: onnx.NodeProto | None = node
    while behind is not None and behind.op_type in ("Transpose", "Reshape", "Squeeze"):
        behind = wiring.only_reader(behind.output[0])
    return behind if behind is not None and behind.op_type in ("LSTM", "GRU") else None


_AFTER = Blocked(why="it combines the sound with something that was made from a whole window")


def _rings(model: onnx.ModelProto, whole: set[str], flows: Mapping[str, Flow]) -> list[str]:
    """The flowing tensors that nodes of the tail read."""
    return [
        name
        for node in model.graph.node
        if whole.intersection(node.output)
        for name in node.input
        if name in flows
    ]


def _share(model: onnx.ModelProto, tail: Sequence[str]) -> float:
    macs = layer_macs(model)
    return sum(macs.get(name, 0) for name in tail) / max(1, sum(macs.values()))


def _shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    inferred = onnx.shape_inference.infer_shapes(model)
    values = (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    found = {v.name: tuple(d.dim_value for d in v.type.tensor_type.shape.dim) for v in values}
    return found | {w.name: tuple(w.dims) for w in model.graph.initializer}


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """Weights, and what the quantizer's nodes make of weights (only their shapes matter here)."""
    wiring = Wiring.of(model.graph)
    values = {name: np.asarray(wiring.value(name)) for name in wiring.constants}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return values
