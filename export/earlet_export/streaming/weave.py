"""Rewrites a model graph by its plan: windows in, logits out becomes chunks and states in, logits
and the next states out.

Rules.
1. A tensor that some node reads further back than its new steps gets a state: an input that holds
   its last steps, a Concat of the state and the new steps, and an output with the last steps again.
2. A node that streams reads its stretch of that Concat (a Slice); so does the tail, a window's.
3. Behind a DequantizeLinear it is the integers that are kept: a quarter of the bytes, and the same
   integers that the offline graph computes with.
4. Integers of a map [B, C, N, F] (or [B, C, F, N]) are kept channels last. ONNX Runtime's int8
   convolutions compute in that order: the transposes written here meet those that it puts around
   them, and vanish. One moment's channels are then bytes in a row, where a state ends or begins.
   (Not of a single channel, which lies the same either way.)
5. A Slice along time becomes nothing (what it cuts off is a delay); a Reshape gets the new number
   of steps.

Postcondition: the same operators with the same weights on the same numbers.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet.streaming import NEXT, State
from earlet_export.passes.wiring import Wiring, attribute, without_unread
from earlet_export.streaming.plan import Plan, Reading

# Beyond the end of any tensor.
_END = np.iinfo(np.int64).max
# [B, C, N, F] <-> [B, N, F, C].
_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_DTYPES: dict[int, Literal["float32", "uint8", "int8"]] = {
    TensorProto.FLOAT: "float32",
    TensorProto.UINT8: "uint8",
    TensorProto.INT8: "int8",
}


@dataclass(frozen=True, kw_only=True)
class Woven:
    """A graph of one chunk, and its states in the order of its inputs."""

    model: onnx.ModelProto
    states: tuple[State, ...]


def weave(model: onnx.ModelProto, plan: Plan, *, chunk_frames: int, span: int) -> Woven:
    """Model graph of a window -> of a chunk of so many frames.

    `span`: frames from the window that is judged to the newest frame; `plan.span` or more.
    """
    loom = _Loom(model=model, plan=plan, chunk_frames=chunk_frames, span=span)
    return loom.woven()


@dataclass(kw_only=True, eq=False)
class _Loom:
    """The graph in the making."""

    model: onnx.ModelProto
    plan: Plan
    chunk_frames: int
    span: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    views: dict[tuple[str, Reading], str] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    def woven(self) -> Woven:
        """See `weave`."""
        graph = self.model.graph
        self.wiring = Wiring.of(graph)
        self.kinds = _kinds(self.model)
        for node in graph.node:
            for tensor, reading in self._readings(node):
                source = self._source(tensor)
                self.kept[source] = max(self.kept.get(source, 0), reading.back)
        self._keep(graph.input[0].name)
        for node in graph.node:
            self.nodes.append(self._rewritten(node))
            for output in node.output:
                self._keep(output)
        return Woven(model=self._finished(), states=tuple(self.states))

    def _readings(self, node: onnx.NodeProto) -> list[tuple[str, Reading]]:
        """The flowing tensors that a node reads, and how."""
        flowing = [name for name in node.input if name in self.plan.flows]
        if node.name in self.plan.moved:
            return [
                (name, self.plan.reading(node, name, chunk_frames=self.chunk_frames))
                for name in flowing
            ]
        return [
            (name, self.plan.window(name, span=self.span, chunk_frames=self.chunk_frames))
            for name in flowing
        ]

    def _source(self, tensor: str) -> str:
        """The tensor that is kept where `tensor` is to be: the integers that it is made of."""
        maker = self.wiring.maker.get(tensor)
        if maker is not None and maker.op_type == "DequantizeLinear":
            kept: str = maker.input[0]
            return kept
        return tensor

    def _steps(self, tensor: str) -> int:
        return self.plan.steps(tensor, chunk_frames=self.chunk_frames)

    def _keep(self, tensor: str) -> None:
        """Rule 1, once the tensor has been made."""
        kept = self.kept.get(tensor, 0)
        if not kept:
            return
        axis, name, new = self._axis(tensor), f"state/{tensor}", tensor
        shape = list(self.plan.shapes[tensor])
        if self._channels_last(tensor):
            new = f"{name}/new"
            self.nodes.append(_node("Transpose", [tensor], new, perm=_TO_LAST))
            shape = [shape[i] for i in _TO_LAST]
        self.nodes.append(_node("Concat", [name, new], f"{name}/heard", axis=axis))
        steps = self._steps(tensor)
        self._slice(f"{name}/heard", f"{name}{NEXT}", axis=axis, start=steps, stop=steps + kept)
        shape[axis] = kept
        kind = _DTYPES[self.kinds[tensor]]
        self.states.append(State(name=name, shape=tuple(shape[1:]), dtype=kind))

    def _axis(self, tensor: str) -> int:
        """Of time, in the order in which the tensor is kept."""
        axis = self.plan.flows[tensor].axis
        return _TO_LAST.index(axis) if self._channels_last(tensor) else axis

    def _channels_last(self, tensor: str) -> bool:
        """Rule 4."""
        shape = self.plan.shapes[tensor]
        is_map = len(shape) == 4 and shape[1] > 1 and self.plan.flows[tensor].axis >= 2
        return is_map and self.kinds[tensor] != TensorProto.FLOAT

    def _view(self, tensor: str, reading: Reading, *, slack: int) -> str:
        """The stretch of a tensor that a node reads (rules 2 and 3).

        `slack`: so many steps more at its end make no difference to the node.
        """
        source = self._source(tensor)
        kept, steps = self.kept[source], self._steps(source)
        start = kept - reading.back
        if start == 0 and 0 <= kept + steps - reading.count <= slack:
            reading = Reading(back=kept, count=kept + steps)
        if (tensor, reading) not in self.views:
            self.views[tensor, reading] = self._cut(tensor, source, reading)
        return self.views[tensor, reading]

    def _cut(self, tensor: str, source: str, reading: Reading) -> str:
        kept, steps = self.kept[source], self._steps(source)
        name = f"{tensor}/{reading.back}+{reading.count}"
        start, stop = kept - reading.back, kept - reading.back + reading.count
        cut = f"state/{source}/heard" if kept else source
        if (start, stop) != (0, kept + steps):
            self._slice(cut, f"{name}/cut", axis=self._axis(source), start=start, stop=stop)
            cut = f"{name}/cut"
        elif not kept:
            # All that is new and nothing else: the tensor as it is.
            return tensor
        if kept and self._channels_last(source):
            self.nodes.append(_node("Transpose", [cut], f"{name}/first", perm=_TO_FIRST))
            cut = f"{name}/first"
        if source != tensor:
            maker = self.wiring.maker[tensor]
            copy = _copied(maker, inputs=[cut, *maker.input[1:]], outputs=[name])
            copy.name = name
            self.nodes.append(copy)
            cut = name
        return cut

    def _rewritten(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The node with its inputs exchanged (rule 2) and, where it must be, itself (rule 5)."""
        # What a stride leaves over at the end is not looked at, unless sizes are rounded up.
        moved = self.plan.moved.get(node.name)
        looks = node.op_type == "Slice" or attribute(node, "ceil_mode", 0)
        slack = moved.reach.stride - 1 if moved and not looks else 0
        views = {
            name: self._view(name, reading, slack=slack) for name, reading in self._readings(node)
        }
        inputs = [views.get(name, name) for name in node.input]
        if node.name in self.plan.moved:
            if node.op_type == "Slice":
                return self._without_time(node, inputs)
            if node.op_type == "Reshape":
                inputs[1] = self._shape(node)
        return _copied(node, inputs=inputs, outputs=list(node.output))

    def _without_time(self, node: onnx.NodeProto, inputs: list[str]) -> onnx.NodeProto:
        """A Slice that cuts what it cuts of other axes, and of time only a stride (rule 5)."""
        starts, ends, axes, steps = (self._listed(node, place) for place in (1, 2, 3, 4))
        assert starts is not None
        assert ends is not None
        rank = len(self.plan.shapes[node.output[0]])
        along = [a % rank for a in (axes or range(len(starts)))]
        time, stride = self.plan.moved[node.name].axis, self.plan.moved[node.name].reach.stride
        for i, axis in enumerate(along):
            if axis == time:
                starts[i], ends[i] = 0, _END
        if stride == 1 and along == [time]:
            return _copied(node, inputs=inputs[:1], outputs=list(node.output), op_type="Identity")
        new = [starts, ends, along, steps or [1] * len(starts)]
        names = [
            self._constant(f"{node.name}/{i}", np.array(part, np.int64))
            for i, part in enumerate(new)
        ]
        return _copied(node, inputs=[inputs[0], *names], outputs=list(node.output))

    def _listed(self, node: onnx.NodeProto, place: int) -> list[int] | None:
        name = node.input[place] if place < len(node.input) else ""
        values = self.plan.constants.get(name)
        return None if values is None else [int(v) for v in values.tolist()]

    def _shape(self, node: onnx.NodeProto) -> str:
        """The target of a Reshape, for one chunk's steps."""
        shape = list(self.plan.shapes[node.output[0]])
        shape[self.plan.moved[node.name].axis] = self._steps(node.output[0])
        shape[0] = -1
        return self._constant(f"{node.name}/shape", np.array(shape, np.int64))

    def _slice(self, source: str, made: str, *, axis: int, start: int, stop: int) -> None:
        ends = [
            self._constant(f"{made}/{what}", np.array([value], np.int64))
            for what, value in (("from", start), ("to", stop), ("axis", axis))
        ]
        self.nodes.append(_node("Slice", [source, *ends], made))

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def _finished(self) -> onnx.ModelProto:
        """The new nodes in the old graph, with the new inputs and outputs."""
        woven = onnx.ModelProto()
        woven.CopyFrom(self.model)
        graph = woven.graph
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.constants)
        features = graph.input[0]
        sizes = features.type.tensor_type.shape.dim
        frames = sizes[self.plan.flows[features.name].axis]
        frames.Clear()
        frames.dim_value = self.chunk_frames
        batch = sizes[0].dim_param or "B"
        for state in self.states:
            kind = next(k for k, name in _DTYPES.items() if name == state.dtype)
            shape = [batch, *state.shape]
            graph.input.append(helper.make_tensor_value_info(state.name, kind, shape))
            graph.output.append(helper.make_tensor_value_info(f"{state.name}{NEXT}", kind, shape))
        without_unread(woven)
        return woven


def _kinds(model: onnx.ModelProto) -> dict[str, int]:
    """Tensor -> the type of its elements."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def _node(op_type: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs, [output], name=output, **attributes)


def _copied(
    node: onnx.NodeProto, *, inputs: list[str], outputs: list[str], op_type: str = ""
) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:], copy.output[:] = inputs, outputs
    if op_type:
        copy.op_type = op_type
        del copy.attribute[:]
    return copy
