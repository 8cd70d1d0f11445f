"""Makes the model graph int8: eight-bit integers with scales learned from real features.

Activations U8, weights S8 per channel and 7 bits wide (`reduce_range`), in QDQ form. The 7 bits
matter: on x86 without VNNI the products of full 8-bit weights saturate, and the same file gives
other answers there. The frontend is not touched, nor is the layer that makes the logits: 256 steps
would be too coarse for scores that a threshold cuts, and it costs nothing. What it adds up it adds
up in double precision (`double_tail`), so that the logits too have the same bits everywhere.

Only static quantization is offered. ONNX Runtime's `quantize_dynamic` learns each tensor's range
anew on every run: for convolutions that was slower than float here (1.1 to 1.4 times, against 0.4
for the static form), per tensor it has cost others all their accuracy, and it saves no more bytes.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import onnx
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.registry import QDQRegistry

from earlet.errors import RecipeError
from earlet_export.biases import with_biases
from earlet_export.calibrate import Array as Array
from earlet_export.calibrate import Ranges as Ranges
from earlet_export.calibrate import observe as observe  # who quantizes calibrates first
from earlet_export.double_tail import double_tail
from earlet_export.quiet import quiet
from earlet_export.round_early import round_early
from earlet_export.widen import widen

# Operators with trained weights: the ones worth ranking, and worth the most in int8.
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
# The quantizer would squeeze the weights of these into eight bits too and then compute in float.
_NORMALIZATIONS = ("BatchNormalization", "InstanceNormalization", "LayerNormalization")


def quantize(
    model: onnx.ModelProto,
    ranges: Ranges,
    *,
    keep_float: Sequence[str] = (),
    biases: Mapping[str, Array] = MappingProxyType({}),
) -> onnx.ModelProto:
    """Model graph in float -> the same in int8. `keep_float`: names of nodes that stay as they are.

    `biases`: layer -> the bias [out] to use in the place of its own
    (`earlet_export.bias_correction`). Deterministic: the same graph, ranges, names and biases give
    the same bytes.
    """
    return finished(annotated(model, ranges, keep_float=keep_float, biases=biases))


def finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """What the quantizer made -> the form that runs fastest, and the same on every processor."""
    return double_tail(widen(model))


def annotated(
    model: onnx.ModelProto,
    ranges: Ranges,
    *,
    keep_float: Sequence[str] = (),
    biases: Mapping[str, Array] = MappingProxyType({}),
) -> onnx.ModelProto:
    """`quantize` without the last step: operator by operator what it was in float.

    From here a stream is made (`earlet_export.streaming`).
    """
    float_names = {*keep_float, *always_float(model)}
    quantized = onnx.ModelProto()
    quantized.CopyFrom(with_biases(model, biases))
    # Shapes that an exporter noted and a rewrite changed make the quantizer stumble.
    del quantized.graph.value_info[:]
    with quiet():
        quantizer = QDQQuantizer(
            onnx.shape_inference.infer_shapes(quantized),
            per_channel=True,
            reduce_range=True,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=ranges.data,
            nodes_to_quantize=[],
            nodes_to_exclude=sorted(float_names),
            op_types_to_quantize=list(QDQRegistry),
            extra_options={"QuantizeBias": True},
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    result: onnx.ModelProto = quantizer.model.model
    result.producer_name, result.producer_version = "earlet", ""
    del result.graph.value_info[:]
    del result.metadata_props[:]
    return round_early(result)


def layers(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes with trained weights, in order, less those that always stay in float."""
    fixed = always_float(model)
    return [n.name for n in model.graph.node if n.op_type in LAYERS and n.name not in fixed]


def nodes_of_modules(model: onnx.ModelProto, modules: Sequence[str]) -> tuple[str, ...]:
    """Names of the nodes inside these modules of the model (`stem`, `blocks.0`). RecipeError."""
    prefix = model.graph.name
    found: list[str] = []
    for module in modules:
        inside = [
            node.name
            for node in model.graph.node
            if node.name.startswith((f"{prefix}/{module}/", f"{prefix}/{module}."))
        ]
        if not inside:
            places = sorted({n.name.split("/")[1] for n in model.graph.node if "/" in n.name})
            raise RecipeError(
                f"[export] exclude names the module {module!r}, and the traced model has none; "
                f"it has {', '.join(places)}."
            )
        found += inside
    return tuple(dict.fromkeys(found))


def always_float(model: onnx.ModelProto) -> frozenset[str]:
    """The last layer and whatever follows it, and the normalizations."""
    nodes = list(model.graph.node)
    last = max((i for i, n in enumerate(nodes) if n.op_type in LAYERS), default=len(nodes))
    return frozenset(
        node.name for i, node in enumerate(nodes) if i >= last or node.op_type in _NORMALIZATIONS
    )
