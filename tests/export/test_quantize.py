from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from earlet.errors import RecipeError
from earlet_export.quantize import always_float, layers, nodes_of_modules, observe, quantize
from earlet_export.run import Runner, one_by_one
from earlet_export.trace import Traced, trace

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def features(residual_traced: Traced, waveforms: Array) -> Array:
    return one_by_one(Runner.of(residual_traced.frontend), waveforms)


def clips(features: Array) -> list[Array]:
    return [clip[None] for clip in features]


def test_int8_answers_nearly_as_float_does(residual_traced: Traced, features: Array) -> None:
    model = residual_traced.model
    int8 = quantize(model, observe(model, clips(features)))
    exact, moved = (one_by_one(Runner.of(graph), features) for graph in (model, int8))
    assert 0 < np.abs(exact - moved).max() < 0.15 * np.abs(exact).max()


def test_the_same_clips_give_the_same_bytes(residual_traced: Traced, features: Array) -> None:
    model = residual_traced.model
    first, second = (
        quantize(model, observe(model, clips(features))).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second


def test_the_input_graph_is_left_as_it_was(residual_traced: Traced, features: Array) -> None:
    before = residual_traced.model.SerializeToString(deterministic=True)
    quantize(residual_traced.model, observe(residual_traced.model, clips(features)))
    assert residual_traced.model.SerializeToString(deterministic=True) == before


def test_weights_have_seven_bits_per_channel_so_that_no_processor_saturates(
    residual_traced: Traced, features: Array
) -> None:
    int8 = quantize(residual_traced.model, observe(residual_traced.model, clips(features)))
    weights = {
        w.name: numpy_helper.to_array(w)
        for w in int8.graph.initializer
        if w.data_type == onnx.TensorProto.INT8 and len(w.dims) == 4
    }
    assert len(weights) == 10  # the stem and three convolutions in each of three blocks
    for name, values in weights.items():
        largest = np.abs(values.astype(np.int16)).reshape(len(values), -1).max(axis=1)
        assert (largest <= 64).all(), name
        assert (largest >= 63).all(), f"{name}: a scale per channel fills each channel's range"


def test_the_last_layer_stays_float_and_no_batch_norm_is_left(
    residual_traced: Traced, features: Array
) -> None:
    model = residual_traced.model
    int8 = quantize(model, observe(model, clips(features)))
    assert always_float(model) == {"model/output/Gemm"}
    by_name = {node.name: node for node in int8.graph.node}
    assert not _made_by_dequantizing(int8) & set(by_name["model/output/Gemm"].input[1:])
    assert _made_by_dequantizing(int8) & set(by_name["model/hidden/Gemm"].input[1:])
    assert _count(int8, "BatchNormalization") == 0


class Normalized(nn.Module):
    """A picture as it comes, and a network with a norm that no convolution can swallow."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(2, 16, 3),
            nn.InstanceNorm2d(16, affine=True),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3),
            nn.Flatten(),
            nn.Linear(16 * 6 * 6, 2),
        )

    def features(self, waveform: torch.Tensor) -> torch.Tensor:
        return waveform.reshape(-1, 2, 10, 10)


def test_a_norm_that_stays_is_computed_in_float_with_float_weights() -> None:
    torch.manual_seed(0)
    model = trace(Normalized().eval(), window_samples=200).model
    features = np.random.default_rng(0).standard_normal((3, 2, 10, 10)).astype(np.float32)
    int8 = quantize(model, observe(model, clips(features)))
    (norm,) = [node for node in int8.graph.node if node.op_type == "InstanceNormalization"]
    assert norm.name in always_float(model)
    assert not _made_by_dequantizing(int8) & set(norm.input[1:])
    exact, moved = (one_by_one(Runner.of(graph), features) for graph in (model, int8))
    assert 0 < np.abs(exact - moved).max() < 0.1 * np.abs(exact).max()


def test_a_layer_that_is_kept_stays_float_with_its_weights(
    residual_traced: Traced, features: Array
) -> None:
    model = residual_traced.model
    ranges = observe(model, clips(features))
    kept = quantize(model, ranges, keep_float=("model/stem/Conv",))
    stem = next(node for node in kept.graph.node if node.name == "model/stem/Conv")
    assert stem.input[1] == "model/stem.weight"
    full = quantize(model, ranges)
    assert _count(kept, "DequantizeLinear") < _count(full, "DequantizeLinear")


def test_keeping_every_layer_gives_the_float_answer(traced: Traced, waveforms: Array) -> None:
    model = traced.model
    found = one_by_one(Runner.of(traced.frontend), waveforms)
    everything = [node.name for node in model.graph.node]
    kept = quantize(model, observe(model, clips(found)), keep_float=everything)
    np.testing.assert_array_equal(
        one_by_one(Runner.of(kept), found), one_by_one(Runner.of(model), found)
    )


def test_modules_are_found_by_their_path(residual_traced: Traced) -> None:
    model = residual_traced.model
    assert nodes_of_modules(model, ("stem",)) == ("model/stem/Conv",)
    block = nodes_of_modules(model, ("blocks.1",))
    assert set(block) & set(layers(model)) == {
        "model/blocks.1.main.0/Conv",
        "model/blocks.1.main.4/Conv",
        "model/blocks.1.skip/Conv",
    }
    with pytest.raises(RecipeError, match=r"'stam'.*stem"):
        nodes_of_modules(model, ("stam",))


def _count(model: onnx.ModelProto, kind: str) -> int:
    return Counter(node.op_type for node in model.graph.node)[kind]


def _made_by_dequantizing(model: onnx.ModelProto) -> set[str]:
    nodes = (node for node in model.graph.node if node.op_type == "DequantizeLinear")
    return {name for node in nodes for name in node.output}
