"""Finds the biases by which an int8 graph's layers give, on average, what they give in float.

Rounding does not only add noise: where a tensor spans decades, most of its values lie within a step
of zero and are rounded the same way, and every layer passes the shift on. What is shifted for all
recordings alike can be taken back in the biases, at no cost while it runs: empirical bias
correction (Nagel, van Baalen, Blankevoort, Welling: Data-Free Quantization Through Weight
Equalization and Bias Correction, ICCV 2019, arXiv 1906.04721, section 4.2 and appendix D).

Layer by layer in the order they run, so that each sees what the corrected ones before it give: the
mean of each output channel over some recordings in float, less that in int8, is added to its bias.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from earlet_export.biases import Array, biases, with_biases
from earlet_export.quantize import Ranges, annotated
from earlet_export.run import Runner

# Recordings, as loud as they are, whose means are compared.
CORRECTION_CLIPS = 24
Floats = NDArray[np.float64]


def corrected_biases(
    model: onnx.ModelProto,
    ranges: Ranges,
    clips: Sequence[Array],
    *,
    keep_float: Sequence[str] = (),
) -> dict[str, Array]:
    """Model graph in float, features [1, C, F, N] -> the bias [out] of each layer that is in int8.

    For `quantize(model, ranges, keep_float=keep_float, biases=...)`. Deterministic.
    """
    own = biases(model)
    whole = with_biases(model, own)
    int8 = annotated(whole, ranges, keep_float=keep_float)
    numbers = {w.name: w for w in int8.graph.initializer}
    order = [n for n in whole.graph.node if n.name in own and f"{_bias(n)}_quantized" in numbers]
    meant = _means(whole, [node.output[0] for node in order], clips)
    gives = {node.name: node.output[0] for node in int8.graph.node}
    made = {name for node in int8.graph.node for name in node.output}
    for node in order:
        # Behind its own rounding; but a ReLU that the quantizer made part of that gave it its name.
        rounded = f"{node.output[0]}_DequantizeLinear_Output"
        read = rounded if rounded in made else gives[node.name]
        missed = meant[node.output[0]] - _means(int8, [read], clips)[read]
        _add(numbers, _bias(node), missed)
        own[node.name] = (own[node.name] + missed).astype(np.float32)
    return {node.name: own[node.name] for node in order}


def _bias(node: onnx.NodeProto) -> str:
    return str(node.input[2])


def _add(numbers: dict[str, onnx.TensorProto], bias: str, missed: Floats) -> None:
    """To the integers of a bias, in place."""
    held, scale = numbers[f"{bias}_quantized"], numbers[f"{bias}_quantized_scale"]
    steps = missed / numpy_helper.to_array(scale).astype(np.float64)
    values = numpy_helper.to_array(held) + np.rint(steps).astype(np.int32)
    held.CopyFrom(numpy_helper.from_array(values.astype(np.int32), held.name))


def _means(
    model: onnx.ModelProto, tensors: Sequence[str], clips: Sequence[Array]
) -> dict[str, Floats]:
    """The mean of each channel (axis 1) of these tensors over all clips."""
    run = Runner.of(_up_to(model, tensors))
    sums = [np.zeros(1)] * len(tensors)
    for clip in clips:
        for i, found in enumerate(run.all(clip)):
            mean = found.mean(axis=(0, *range(2, found.ndim)), dtype=np.float64)
            sums[i] = sums[i] + mean / len(clips)
    return dict(zip(tensors, sums, strict=True))


def _up_to(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """What makes these tensors, which become the outputs."""
    needed, nodes = set(tensors), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    part = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    part.graph.name = model.graph.name
    part.graph.input.extend(model.graph.input)
    part.graph.node.extend(reversed(nodes))
    part.graph.initializer.extend(w for w in model.graph.initializer if w.name in needed)
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors)
    return part
