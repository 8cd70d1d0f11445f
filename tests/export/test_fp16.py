import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from earlet_export.fp16 import as_fp16
from earlet_export.join import join
from earlet_export.run import Runner, one_by_one
from earlet_export.trace import Traced

Array = NDArray[np.float32]


def stored(graph: onnx.ModelProto, kind: int) -> dict[str, int]:
    return {w.name: w.ByteSize() for w in graph.graph.initializer if w.data_type == kind}


def test_the_weights_of_the_model_take_half_the_bytes_and_the_frontend_keeps_its_own(
    residual_traced: Traced,
) -> None:
    whole = join(residual_traced.frontend, residual_traced.model)
    half = as_fp16(whole)
    before, after = stored(whole, TensorProto.FLOAT), stored(half, TensorProto.FLOAT16)
    matrices = sum(before[name.removesuffix(".fp16")] for name in after)
    assert sum(after.values()) < 0.51 * matrices
    assert matrices > 0.95 * sum(n for name, n in before.items() if name.startswith("model/"))
    assert all(name.startswith("model/") for name in after)
    frontend = {name for name in before if name.startswith("frontend/")}
    assert frontend <= set(stored(half, TensorProto.FLOAT))


def test_it_computes_as_fp32_does_with_rounded_weights(
    residual_traced: Traced, waveforms: Array
) -> None:
    whole = join(residual_traced.frontend, residual_traced.model)
    rounded = onnx.ModelProto()
    rounded.CopyFrom(whole)
    for weight in rounded.graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.name.startswith("model/") and values.ndim > 1 and values.dtype == np.float32:
            near = values.astype(np.float16).astype(np.float32)
            weight.CopyFrom(numpy_helper.from_array(near, weight.name))
    exact, half, same = (
        one_by_one(Runner.of(graph), waveforms) for graph in (whole, as_fp16(whole), rounded)
    )
    np.testing.assert_array_equal(half, same)
    assert 0 < np.abs(half - exact).max() < 0.01 * np.abs(exact).max()


def test_a_weight_beyond_sixteen_bits_stays_as_it_is(traced: Traced) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(traced.model)
    weight = next(w for w in model.graph.initializer if len(w.dims) == 4)
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] = 1e6
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    half = as_fp16(join(traced.frontend, model))
    assert weight.name in stored(half, TensorProto.FLOAT)
    assert f"{weight.name}.fp16" not in stored(half, TensorProto.FLOAT16)
