"""Layer noise: where rounding enters a quantized graph, and how it travels."""

import numpy as np
import onnx
import pytest

from earlet_export.calibrate import observe
from earlet_export.layer_noise import layer_noise
from earlet_export.quantize import layers, quantize
from earlet_export.run import Runner
from earlet_export.trace import Traced


@pytest.fixture(scope="module")
def features(traced: Traced) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    frontend = Runner.of(traced.frontend)
    size = traced.window_samples
    return [frontend((0.1 * rng.normal(size=(1, size))).astype(np.float32)) for _ in range(4)]


@pytest.fixture(scope="module")
def int8(traced: Traced, features: list[np.ndarray]) -> onnx.ModelProto:
    return quantize(traced.model, observe(traced.model, features))


def test_every_layer_has_its_row_in_order(
    traced: Traced, int8: onnx.ModelProto, features: list[np.ndarray]
) -> None:
    rows = layer_noise(traced.model, int8, features)
    inside = [row.layer for row in rows if row.integer]
    assert set(inside) <= set(layers(traced.model))
    assert inside
    assert [r.layer for r in rows] == [
        n.name for n in traced.model.graph.node if n.name in {r.layer for r in rows}
    ]
    assert all(row.sqnr_db is not None and 5 < row.sqnr_db < 80 for row in rows)
    # The last layer computes in float, and still hears the noise of those before it.
    assert not rows[-1].integer


def test_a_graph_against_itself_has_no_noise(traced: Traced, features: list[np.ndarray]) -> None:
    rows = layer_noise(traced.model, traced.model, features)
    assert rows
    assert all(row.sqnr_db is None and not row.integer for row in rows)


def test_a_layer_that_went_back_to_float_brings_no_noise_of_its_own(
    traced: Traced, features: list[np.ndarray]
) -> None:
    first = layers(traced.model)[0]
    kept = quantize(traced.model, observe(traced.model, features), keep_float=[first])
    row = next(r for r in layer_noise(traced.model, kept, features) if r.layer == first)
    assert not row.integer
    assert row.sqnr_db is None
