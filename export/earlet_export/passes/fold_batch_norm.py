"""Folds batch norms into the layers before or behind them, wherever that is exact.

A trained batch norm is a scale and a shift per channel, s x + t. Left alone it is a pass over the
whole map, and in an int8 graph two conversions to float and back besides. The exporter folds it
into a convolution directly before it; this pass finds the other places.

Needs: a float graph (before quantization). One pass over its batch norms, in order:

1. Backward, whole: what made x makes s x + t instead (`absorb`): through additions, poolings,
   concatenations, and with s > 0 through maxima, down to layers with weights. No tensor on the
   way may have another reader.
2. Forward, whole: what reads s x + t reads x instead (`hand_on`): any sign of s, so long as no
   reader pads with zeros (behind a shift they mean another value, at the borders only, so there
   is no one bias that makes up for it).
3. Split: the scale goes backward through a ReLU, where a shift cannot, and needs s > 0; the shift
   goes forward, as in 2.
4. What is left where the scale alone can go backward: an Add of the shift. It can be int8, the
   batch norm cannot.
5. Otherwise the batch norm stays: behind a residual sum whose value is also passed on, before a
   padded convolution with a negative scale, behind anything that is neither linear nor keeps
   order. `earlet lint` names those that stay.

Leaves: the same function, in exact arithmetic; in float32 other roundings (tests: 1e-5).
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from earlet_export.passes.absorb import Shapes, absorb
from earlet_export.passes.affine import Affine
from earlet_export.passes.edits import Plan, make, merged
from earlet_export.passes.hand_on import hand_on
from earlet_export.passes.wiring import Wiring, without_unread


def fold_batch_norm(model: onnx.ModelProto) -> onnx.ModelProto:
    """Float graph -> the same function with as few batch norms as algebra allows."""
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    for name in [n.name for n in model.graph.node if n.op_type == "BatchNormalization"]:
        _fold(folded, name)
    without_unread(folded)
    return folded


def _fold(model: onnx.ModelProto, name: str) -> None:
    """Fold the batch norm of that name, in place, if a rule allows it."""
    node = next(n for n in model.graph.node if n.name == name)
    wiring, shapes = Wiring.of(model.graph), _shapes(model)
    affine = Affine.of(node, wiring)
    if affine is None:
        return
    source, target = node.input[0], node.output[0]
    behind = hand_on(target, affine.shifting(), wiring, shapes)
    before = absorb(source, affine.scaling(), wiring, shapes)
    for plan in (
        absorb(source, affine, wiring, shapes),
        hand_on(target, affine, wiring, shapes),
        merged([before, behind]),
    ):
        if plan is not None:
            make(model, plan)
            _bypass(model, node)
            return
    if before is not None:
        _leave_shift(model, node, affine, before, rank=len(shapes.get(source, ())))


def _leave_shift(
    model: onnx.ModelProto, node: onnx.NodeProto, affine: Affine, plan: Plan, *, rank: int
) -> None:
    """Rule 4: the batch norm becomes an Add of its shift."""
    if not rank:
        return
    make(model, plan)
    shift = affine.along(rank)[1][0].astype(np.float32)
    name = f"{node.name}:shift"
    model.graph.initializer.append(numpy_helper.from_array(shift, name))
    left = helper.make_node("Add", [node.input[0], name], node.output, name=node.name)
    node.CopyFrom(left)


def _bypass(model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    """Take a node out; whoever read its output reads its input."""
    source, target = node.input[0], node.output[0]
    if target in {value.name for value in model.graph.output}:
        # Only what `absorb` changed gets here, and nobody else reads that: it takes the name.
        for other in model.graph.node:
            other.output[:] = [target if n == source else n for n in other.output]
    for other in model.graph.node:
        if other.name != node.name:
            other.input[:] = [source if n == target else n for n in other.input]
    model.graph.node.remove(node)


def _shapes(model: onnx.ModelProto) -> Shapes:
    """Sizes of every tensor, None for an open one."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes: dict[str, tuple[int | None, ...]] = {
        value.name: tuple(
            d.dim_value if d.HasField("dim_value") else None
            for d in value.type.tensor_type.shape.dim
        )
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
