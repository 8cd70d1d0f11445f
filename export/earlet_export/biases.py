"""Gives layers of a model graph biases of their own, in float."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from earlet_export.passes.wiring import attribute, without_unread

Array = NDArray[np.float32]
# Layers that may have one: their third input.
WITH_BIAS = ("Conv", "Gemm")


def biases(model: onnx.ModelProto) -> dict[str, Array]:
    """Name of each such layer -> its bias [out], zeros where it has none."""
    constants = {w.name: w for w in model.graph.initializer}
    found: dict[str, Array] = {}
    for node in model.graph.node:
        weight = constants.get(node.input[1]) if node.op_type in WITH_BIAS else None
        if (
            weight is None
            or attribute(node, "alpha", 1.0) != 1
            or attribute(node, "beta", 1.0) != 1
        ):
            continue
        across = node.op_type == "Gemm" and not attribute(node, "transB", 0)
        out = weight.dims[1 if across else 0]
        given = node.input[2] if len(node.input) > 2 else ""
        if not given:
            found[node.name] = np.zeros(out, dtype=np.float32)
        elif given in constants and (own := numpy_helper.to_array(constants[given])).size == out:
            found[node.name] = own.reshape(out).astype(np.float32)
    return found


def with_biases(model: onnx.ModelProto, given: Mapping[str, Array]) -> onnx.ModelProto:
    """The same graph with these biases [out], by the names of the layers."""
    if not given:
        return model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    for node in graph.node:
        if node.name in given:
            own = f"{node.name}/bias"
            graph.initializer.append(numpy_helper.from_array(given[node.name], own))
            node.input[2:] = [own]
    without_unread(changed)
    return changed
