"""Counts the multiplications of each layer, so that a share of the work can be named."""

import math

import onnx

WEIGHTED = ("Conv", "Gemm", "MatMul", "LSTM")


def layer_macs(model: onnx.ModelProto) -> dict[str, int]:
    """Graph of fixed shapes (the batch may be open) -> multiplications per item, by node name.

    Conv: positions of the output times the size of the kernel of one position. Gemm, MatMul: size
    of the output times the inner length. LSTM: both its matrices at every step. Products of two
    computed tensors count too.
    """
    inferred = onnx.shape_inference.infer_shapes(model)
    shapes: dict[str, tuple[int, ...]] = {
        value.name: _per_item(value)
        for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    }
    shapes |= {w.name: tuple(w.dims) for w in inferred.graph.initializer}
    counts: dict[str, int] = {}
    fixed = {w.name for w in inferred.graph.initializer}
    for node in inferred.graph.node:
        if fixed.issuperset(filter(None, node.input)):
            # Computed once, while the graph is loaded (`earlet_export.passes.compact_dft`).
            fixed.update(node.output)
            continue
        if node.op_type not in WEIGHTED:
            continue
        out = shapes.get(node.output[0], ())
        if node.op_type == "Conv":
            # Weight [out, in / groups, kernel...]: one value of the output takes all but dim 0.
            counts[node.name] = math.prod(out) * math.prod(shapes[node.input[1]][1:])
        elif node.op_type == "LSTM":
            # Input [steps, batch, size]; weights [directions, 4 hidden, size or hidden].
            steps = shapes.get(node.input[0], (1,))[0]
            counts[node.name] = steps * sum(math.prod(shapes[name]) for name in node.input[1:3])
        else:
            counts[node.name] = math.prod(out) * _inner(node, shapes)
    return counts


def _per_item(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    """Known dimensions; an open one (the batch) counts once."""
    return tuple(d.dim_value or 1 for d in value.type.tensor_type.shape.dim)


def _inner(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    weight = shapes.get(node.input[1], (1, 1))
    return weight[-1] if transposed else weight[-2] if len(weight) > 1 else weight[-1]
