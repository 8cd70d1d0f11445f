"""Halves the file: weights of the model in 16 bits, turned back to 32 when the graph is loaded.

A size option, not a fast one: processors compute in float32 all the same (ONNX Runtime folds the
casts at load, so nothing is lost per window), and what differs from fp32 is the rounding of the
weights alone. The frontend keeps 32 bits: rounding a Fourier kernel to 11 bits would lay a floor of
noise under the quiet bins.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from earlet_export.trace import MODEL

# Largest finite number of 16 bits; a weight beyond it stays as it is.
_LARGEST = 65504.0


def as_fp16(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Joined graph in float32 -> the same with the model's matrices and kernels in 16 bits.

    Biases and norms, a hundredth of the bytes, keep 32. The input and the answer keep their type.
    """
    halved = onnx.ModelProto()
    halved.CopyFrom(graph)
    casts = []
    for weight in halved.graph.initializer:
        if not weight.name.startswith(f"{MODEL}/") or weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.ndim < 2 or float(np.abs(values).max(initial=0.0)) > _LARGEST:
            continue
        name, stored = weight.name, f"{weight.name}.fp16"
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(
            helper.make_node("Cast", [stored], [name], name=f"{name}/Cast", to=TensorProto.FLOAT)
        )
    nodes = list(halved.graph.node)
    del halved.graph.node[:]
    halved.graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(halved, full_check=True)
    return halved
