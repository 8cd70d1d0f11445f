"""How much rounding each layer of the int8 graph shows at its output, on real features.

Not what int8 in one layer does to the verdict (`earlet_export.sensitivity` measures that) but where
the noise enters and how it adds up on its way: each layer's own output in the int8 graph, with all
layers before it in int8 too, against the same output in float.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from earlet_export.difference import Gap
from earlet_export.quantize import LAYERS

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LayerNoise:
    """`sqnr_db`: signal to rounding noise at the layer's output; None where there is no noise.

    `integer`: whether the layer itself computes in integers.
    """

    layer: str
    sqnr_db: float | None
    integer: bool


def layer_noise(
    model: onnx.ModelProto, int8: onnx.ModelProto, features: Sequence[Array]
) -> tuple[LayerNoise, ...]:
    """Float graph, its int8 form, features [1, C, F, N] of some windows -> each layer, in order.

    Layers that only one of the two has, or whose output a rewrite gave another shape, are left out.
    """
    ours = {node.name: node for node in int8.graph.node}
    made = {name for node in int8.graph.node for name in node.output}
    layers = [n for n in model.graph.node if n.op_type in LAYERS and n.name in ours]
    if not layers or not features:
        return ()
    # A rewritten layer may end in other nodes, which then make the tensor of the old name.
    ends = [n.output[0] if n.output[0] in made else ours[n.name].output[0] for n in layers]
    exact = _opened(model, [node.output[0] for node in layers])
    moved = _opened(int8, ends)
    gaps = [Gap() for _ in layers]
    alike = [True] * len(layers)
    for clip in features:
        pairs = zip(_run(exact, clip), _run(moved, clip), strict=True)
        for i, (a, b) in enumerate(pairs):
            alike[i] = alike[i] and a.shape == b.shape
            if alike[i]:
                gaps[i].add(a, b)
    dequantized = {
        name
        for node in int8.graph.node
        if node.op_type == "DequantizeLinear"
        for name in node.output
    }
    return tuple(
        LayerNoise(
            layer=node.name,
            sqnr_db=gap.difference().sqnr_db,
            # Both the sound and the weights come out of integers.
            integer=set(ours[node.name].input[:2]) <= dequantized,
        )
        for node, gap, same in zip(layers, gaps, alike, strict=True)
        if same
    )


def _opened(model: onnx.ModelProto, names: Sequence[str]) -> onnxruntime.InferenceSession:
    """A session that also gives away these tensors, unoptimized: fusing would swallow them."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        asked.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run(session: onnxruntime.InferenceSession, clip: Array) -> list[Array]:
    found: list[Array] = session.run(None, {session.get_inputs()[0].name: clip})
    return found
