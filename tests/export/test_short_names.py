import numpy as np
import onnx
from numpy.typing import NDArray

from earlet_export.calibrate import observe
from earlet_export.passes.short_names import short_names
from earlet_export.quantize import quantize
from earlet_export.run import Runner
from earlet_export.trace import Traced

Array = NDArray[np.float32]


def int8_of(traced: Traced, waveforms: Array) -> tuple[onnx.ModelProto, Array]:
    features = Runner.of(traced.frontend)(waveforms)
    ranges = observe(traced.model, (features[i : i + 1] for i in range(len(features))))
    return quantize(traced.model, ranges), features


def test_an_int8_graph_gets_smaller_and_answers_the_same_to_the_bit(
    residual_traced: Traced, waveforms: Array
) -> None:
    int8, features = int8_of(residual_traced, waveforms)
    shorter = short_names(int8)
    onnx.checker.check_model(shorter, full_check=True)
    assert shorter.ByteSize() < 0.8 * int8.ByteSize()
    np.testing.assert_array_equal(Runner.of(shorter)(features), Runner.of(int8)(features))


def test_nodes_weights_and_ends_keep_their_names(residual_traced: Traced, waveforms: Array) -> None:
    int8, _ = int8_of(residual_traced, waveforms)
    shorter = short_names(int8)
    assert [n.name for n in shorter.graph.node] == [n.name for n in int8.graph.node]
    assert shorter.graph.input == int8.graph.input
    assert shorter.graph.output == int8.graph.output
    names = {tensor.name for tensor in shorter.graph.initializer}
    assert any(name.startswith("model/") and "weight" in name for name in names)
    assert short_names(shorter) == shorter


def test_a_float_graph_stays_as_it_is(residual_traced: Traced) -> None:
    for graph in (residual_traced.model, residual_traced.frontend):
        assert short_names(graph) == graph
