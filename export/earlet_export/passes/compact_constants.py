"""Stores filter banks and index tables in the bytes that they need, exactly.

A mel filter bank of 128 bands over 1024 bins is half a megabyte, nearly all of it zeros; an order
of bins is stored in 64-bit integers though there are 257 of them. As with Fourier kernels
(`compact_dft`) the graph holds less and ONNX Runtime computes the rest once, while it loads.

Needs: any graph; nothing in it needs to be known.

1. A float constant of `WORTH_BYTES` or more, at most a third of it not zero, becomes those values
   scattered into zeros:

       Reshape(ScatterElements(zeros, CumSum(steps), values), shape)

   `steps` are the distances from one to the next, in the narrowest integers that hold them.
2. An integer constant (int32, int64) of `WORTH_INTEGERS_BYTES` or more, none of it negative,
   becomes a Cast from the narrowest integers that hold it.
3. A constant that gets no smaller this way stays as it is.

Leaves: the same inputs, outputs and names of the nodes that were there, and every constant the same
to the bit. Raises ParityError where ONNX Runtime computes another, or leaves it to be computed anew
for every input.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet_export.passes.recipe import Recipe, replace_constants

WORTH_BYTES = 4096
WORTH_INTEGERS_BYTES = 256
MARK = ":stored/"
_WIDE = (TensorProto.INT32, TensorProto.INT64)


def compact_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Graph with constants as they come -> the same graph, the same constants in fewer bytes."""
    return replace_constants(model, _shorter, mark=MARK, tolerance=0.0)


def _shorter(tensor: onnx.TensorProto) -> Recipe | None:
    values = numpy_helper.to_array(tensor)
    if tensor.data_type == TensorProto.FLOAT and tensor.ByteSize() >= WORTH_BYTES:
        places = np.flatnonzero(values)
        return _scattered(tensor.name, values, places) if 3 * len(places) <= values.size else None
    if (
        tensor.data_type in _WIDE
        and tensor.ByteSize() >= WORTH_INTEGERS_BYTES
        and values.min() >= 0
    ):
        made = Recipe(tensor.name, mark=MARK)
        made.node("Cast", made.narrow("integers", values), output=tensor.name, to=tensor.data_type)
        return made
    return None


def _scattered(name: str, values: NDArray[np.float32], places: NDArray[np.int64]) -> Recipe:
    made = Recipe(name, mark=MARK)
    steps = made.widened("steps", np.diff(places, prepend=0))
    where = made.node("CumSum", steps, made.constant("axis", np.int64(0)))
    zeros = made.node(
        "ConstantOfShape",
        made.constant("size", np.array([values.size])),
        value=helper.make_tensor("value", TensorProto.FLOAT, [1], [0.0]),
    )
    nonzero = made.constant("values", values.ravel()[places])
    flat = made.node("ScatterElements", zeros, where, nonzero, axis=0)
    made.node("Reshape", flat, made.constant("shape", np.array(values.shape)), output=name)
    return made
