"""Corrected biases: what int8 gives on average is what float gives, layer by layer."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet_export.bias_correction import corrected_biases
from earlet_export.biases import biases, with_biases
from earlet_export.quantize import layers, observe, quantize
from earlet_export.run import Runner, one_by_one

Array = NDArray[np.float32]


def skewed(*, biased: bool) -> onnx.ModelProto:
    """Two leaky convolutions and two layers over values most of which are far below one step."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.normal(0.1, 0.3, (16, 4, 3, 3)).astype(np.float32),
        "w2": rng.normal(0.1, 0.3, (16, 16, 3, 3)).astype(np.float32),
        "w3": rng.normal(0, 0.3, (16, 8)).astype(np.float32),
        "w4": rng.normal(0, 0.3, (2, 8)).astype(np.float32),
        "axes": np.array([2, 3]),
    }
    if biased:
        weights |= {"b1": rng.normal(size=16).astype(np.float32)}
    node = helper.make_node
    nodes = [
        node("Conv", ["features", "w1", *(["b1"] if biased else [])], ["a"], "model/one"),
        node("LeakyRelu", ["a"], ["b"], "model/leaky", alpha=0.01),
        node("Conv", ["b", "w2"], ["c"], "model/two"),
        node("Relu", ["c"], ["d"], "model/relu"),
        node("ReduceMean", ["d", "axes"], ["e"], "model/mean", keepdims=0),
        node("Gemm", ["e", "w3"], ["f"], "model/three"),
        node("Gemm", ["f", "w4"], ["logits"], "model/four", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", 4, 12, 20])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 2])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def clips(seed: int, count: int = 12) -> list[Array]:
    """Features of which one row is a hundred times as large as the others."""
    rng = np.random.default_rng(seed)
    rows = np.ones((12, 1))
    rows[3] = 100
    return [(rows * rng.exponential(size=(1, 4, 12, 20))).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("biased", [True, False])
def test_the_shift_of_int8_is_taken_back(biased: bool) -> None:
    model, learned, others = skewed(biased=biased), clips(0), np.concatenate(clips(1))
    ranges = observe(model, learned)
    corrected = corrected_biases(model, ranges, learned)
    assert set(corrected) == set(layers(model)) == {"model/one", "model/two", "model/three"}
    meant = one_by_one(Runner.of(model), others)
    plain = one_by_one(Runner.of(quantize(model, ranges)), others) - meant
    better = one_by_one(Runner.of(quantize(model, ranges, biases=corrected)), others) - meant
    assert np.abs(better.mean(axis=0)).max() < 0.3 * np.abs(plain.mean(axis=0)).max()
    assert np.abs(better).mean() < 0.7 * np.abs(plain).mean()


def test_layers_in_float_keep_their_biases_and_the_same_gives_the_same() -> None:
    model, learned = skewed(biased=True), clips(0)
    ranges = observe(model, learned)
    kept = corrected_biases(model, ranges, learned, keep_float=["model/one"])
    assert set(kept) == {"model/two", "model/three"}
    again = corrected_biases(model, ranges, learned, keep_float=["model/one"])
    for name, bias in kept.items():
        np.testing.assert_array_equal(bias, again[name])


def test_biases_are_read_and_given() -> None:
    model = skewed(biased=True)
    own = biases(model)
    assert own["model/two"].tolist() == [0.0] * 16
    assert own["model/one"].any()
    assert [len(own[name]) for name in ("model/three", "model/four")] == [8, 2]
    features = np.concatenate(clips(2))
    np.testing.assert_allclose(
        Runner.of(with_biases(model, own))(features), Runner.of(model)(features), rtol=1e-5
    )
    moved = with_biases(model, {"model/four": np.array([3.0, -1.0], np.float32)})
    np.testing.assert_allclose(
        Runner.of(moved)(features) - Runner.of(model)(features), [[3, -1]] * 12, rtol=1e-3
    )
    assert with_biases(model, {}) is model
