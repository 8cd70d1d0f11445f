"""Finds the biases by which an int8 graph's layers give, on average, what they give in float.

Rounding does not only add noise: where a tensor spans decades, most of its values lie within a step
of zero and are rounded the same way, and every layer passes the shift on. What is shifted for all
recordings alike can be taken back in the biases, at no cost while it runs: empirical bias
correction (Nagel, van Baalen, Blankevoort, Welling: Data-Free Quantization Through Weight
Equalization and Bias Correction, ICCV 2019, arXiv 1906.04721, section 4.2 and appendix D).

Layer by layer in the order they run, so that each sees what the corrected ones before it give: the
mean of each output channel over some recordings in float, less that in int8, is added to its bias.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from earlet_export.biases import Array, biases, with_biases
from earlet_export.quantize import Ranges, annotated
from earlet_export.run import Runner

# Recordings, as loud as they are, whose means are compared.
CORRECTION_CLIPS = 24
Floats = NDArray[np.float64]
# Name of a tensor -> its values for one recording.
Known = dict[str, NDArray[np.generic]]


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
    meant = _Walk(whole, clips).means([node.output[0] for node in order])
    gives = {node.name: node.output[0] for node in int8.graph.node}
    made = {name for node in int8.graph.node for name in node.output}
    walk = _Walk(int8, clips)
    for node in order:
        # Behind its own rounding; but a ReLU that the quantizer made part of that gave it its name.
        rounded = f"{node.output[0]}_DequantizeLinear_Output"
        read = rounded if rounded in made else gives[node.name]
        missed = meant[node.output[0]] - walk.means([read])[read]
        _add(numbers, _bias(node), missed)
        own[node.name] = (own[node.name] + missed).astype(np.float32)
        walk.past(read)
    return {node.name: own[node.name] for node in order}


class _Walk:
    """Goes through a graph piece by piece and keeps, of each recording, what is still to be read.

    From one piece to the next tensors are handed on as the integers they are, their
    DequantizeLinear made anew: ONNX Runtime computes in integers only where it sees both.
    """

    def __init__(self, model: onnx.ModelProto, clips: Sequence[Array]) -> None:
        self._model = model
        self._maker = {name: node for node in model.graph.node for name in node.output}
        self._constants = {w.name: w for w in model.graph.initializer}
        self._ahead = {
            node.output[0]: node for node in model.graph.node if node.op_type != "DequantizeLinear"
        }
        features = model.graph.input[0].name
        self._known: list[Known] = [{features: clip} for clip in clips]

    def means(self, tensors: Sequence[str]) -> dict[str, Floats]:
        """Tensor -> the mean of each of its channels (axis 1) over all recordings."""
        sums = [np.zeros(1)] * len(tensors)
        for found in self._runs(self._piece(tensors), tensors):
            for i, values in enumerate(found):
                mean = values.mean(axis=(0, *range(2, values.ndim)), dtype=np.float64)
                sums[i] = sums[i] + mean / len(self._known)
        return dict(zip(tensors, sums, strict=True))

    def past(self, tensor: str) -> None:
        """Go on behind what makes this tensor, with the biases that the graph has by now."""
        piece = self._piece([tensor])
        for node in piece:
            self._ahead.pop(node.output[0], None)
        to_read = {name for node in self._ahead.values() for name in self._sources(node)}
        made = [name for node in piece for name in node.output if name in to_read]
        rows = list(self._runs(piece, made)) if made else [[]] * len(self._known)
        for known, found in zip(self._known, rows, strict=True):
            known.update(zip(made, found, strict=True))
            for name in known.keys() - to_read:
                del known[name]

    def _piece(self, tensors: Sequence[str]) -> list[onnx.NodeProto]:
        """The nodes that make them from what is known, in the graph's order."""
        needed, nodes = set(tensors), []
        for node in reversed(self._model.graph.node):
            if needed.intersection(node.output) - self._known[0].keys():
                needed.update(node.input)
                nodes.append(node)
        return nodes[::-1]

    def _sources(self, node: onnx.NodeProto) -> Iterator[str]:
        """What it reads, before any DequantizeLinear."""
        for name in node.input:
            maker = self._maker.get(name)
            if maker is not None and maker.op_type == "DequantizeLinear":
                yield maker.input[0]
            else:
                yield name

    def _runs(
        self, piece: Sequence[onnx.NodeProto], outputs: Sequence[str]
    ) -> Iterator[list[NDArray[np.generic]]]:
        """What the piece gives for each recording."""
        first = self._known[0]
        read = dict.fromkeys(name for node in piece for name in node.input)
        inputs = [name for name in read if name in first]
        part = onnx.ModelProto(
            ir_version=self._model.ir_version, opset_import=self._model.opset_import
        )
        part.graph.name = self._model.graph.name
        part.graph.node.extend(piece)
        part.graph.initializer.extend(
            self._constants[name] for name in read if name in self._constants
        )
        part.graph.input.extend(
            helper.make_tensor_value_info(
                name,
                helper.np_dtype_to_tensor_dtype(first[name].dtype),
                [None] * first[name].ndim,
            )
            for name in inputs
        )
        part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        run = Runner.of(part)
        for known in self._known:
            yield run.session.run(None, {name: known[name] for name in inputs})


def _bias(node: onnx.NodeProto) -> str:
    return str(node.input[2])


def _add(numbers: dict[str, onnx.TensorProto], bias: str, missed: Floats) -> None:
    """To the integers of a bias, in place."""
    held, scale = numbers[f"{bias}_quantized"], numbers[f"{bias}_quantized_scale"]
    steps = missed / numpy_helper.to_array(scale).astype(np.float64)
    values = numpy_helper.to_array(held) + np.rint(steps).astype(np.int32)
    held.CopyFrom(numpy_helper.from_array(values.astype(np.int32), held.name))
