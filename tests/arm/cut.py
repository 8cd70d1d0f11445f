"""Cuts the model out of a bundle's graph, from `features` on, and says what is float there.

With the same features on every machine, what differs is the model's doing and not the frontend's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet.hearing import FEATURES
from earlet.session import OUTPUT

WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose")


@dataclass(frozen=True, kw_only=True)
class Step:
    """How `features` become integers: round(value / scale) + zero, within `low` to `high`."""

    scale: float
    zero: int
    low: int
    high: int

    def integers(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Features of any shape -> the integers that the model computes with."""
        scaled = np.rint(features / np.float32(self.scale)).astype(np.int64) + self.zero
        limited: NDArray[np.int64] = np.clip(scaled, self.low, self.high)
        return limited


def model_alone(graph: onnx.ModelProto, *, shape: Sequence[int]) -> onnx.ModelProto | None:
    """The part from `features` [B, *shape] to `logits`; None where the graph has no such seam."""
    if not any(FEATURES in node.output for node in graph.graph.node):
        return None
    needed, kept = {OUTPUT}, []
    for node in reversed(graph.graph.node):
        if needed.intersection(node.output) and FEATURES not in node.output:
            needed.update(node.input)
            kept.append(node)
    cut = onnx.ModelProto()
    cut.CopyFrom(graph)
    # The manifest and the seal speak of the whole.
    del cut.metadata_props[:]
    del cut.graph.node[:], cut.graph.value_info[:], cut.graph.input[:]
    cut.graph.node.extend(reversed(kept))
    weights = [weight for weight in graph.graph.initializer if weight.name in needed]
    del cut.graph.initializer[:]
    cut.graph.initializer.extend(weights)
    cut.graph.input.append(
        helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", *shape])
    )
    onnx.checker.check_model(cut)
    return cut


def step_of(graph: onnx.ModelProto) -> Step | None:
    """The rounding of the features; None where the model takes them as they are."""
    values = {weight.name: weight for weight in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] == FEATURES:
            scale = numpy_helper.to_array(values[node.input[1]])
            zero = numpy_helper.to_array(values[node.input[2]])
            limits = np.iinfo(zero.dtype)
            return Step(
                scale=float(scale), zero=int(zero), low=int(limits.min), high=int(limits.max)
            )
    return None


def float_layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """Names of the layers with weights whose input is not made of integers."""
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    return tuple(
        node.name
        for node in model.graph.node
        if node.op_type in WEIGHTED and made.get(node.input[0]) != "DequantizeLinear"
    )
