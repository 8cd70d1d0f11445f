import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from earlet_export.quantize import Ranges, observe, quantize
from earlet_export.run import Runner, one_by_one
from earlet_export.sensitivity import MOST_IN_FLOAT, rank, settle
from earlet_export.trace import Traced, trace
from earlet_train.checkpoint import Checkpoint

Array = NDArray[np.float32]
CRUSHED = {"model/body.9/Conv", "model/tall.0/Conv"}


@pytest.fixture(scope="module")
def crushed_traced(crushed: Checkpoint) -> Traced:
    return trace(crushed.network(), window_samples=8_000)


@pytest.fixture(scope="module")
def features(crushed_traced: Traced, waveforms: Array) -> Array:
    return one_by_one(Runner.of(crushed_traced.frontend), waveforms)


@pytest.fixture(scope="module")
def ranges(crushed_traced: Traced, features: Array) -> Ranges:
    return observe(crushed_traced.model, (clip[None] for clip in features))


def error(int8: onnx.ModelProto, model: onnx.ModelProto, features: Array) -> float:
    exact, moved = (one_by_one(Runner.of(graph), features) for graph in (model, int8))
    return float(np.abs(exact - moved).max())


def test_the_layers_on_both_sides_of_a_crushed_tensor_rank_first(
    crushed_traced: Traced, ranges: Ranges, features: Array
) -> None:
    ranking = rank(crushed_traced.model, ranges, features)
    assert {damage.layer for damage in ranking[:2]} == CRUSHED
    assert ranking[1].mean_abs_logit > 5 * ranking[2].mean_abs_logit
    assert sum(d.share_of_macs for d in ranking) == pytest.approx(1.0, abs=0.01)


def test_layers_go_back_to_float_until_the_promise_holds_and_no_further(
    crushed_traced: Traced, ranges: Ranges, features: Array
) -> None:
    model = crushed_traced.model
    alone = error(quantize(model, ranges), model, features)
    limit = alone / 10
    settled = settle(model, ranges, features, holds=lambda g: error(g, model, features) < limit)
    assert set(settled.kept_float) == CRUSHED
    assert error(settled.model, model, features) < limit


def test_nothing_is_ranked_where_int8_holds_at_once(
    traced: Traced, ranges: Ranges, features: Array
) -> None:
    settled = settle(
        traced.model, ranges, features, holds=lambda _: True, exclude=("model/body.0/Conv",)
    )
    assert (settled.kept_float, settled.ranking) == (("model/body.0/Conv",), ())


def test_it_gives_up_before_half_of_the_work_is_float(
    crushed_traced: Traced, ranges: Ranges, features: Array
) -> None:
    tried: list[onnx.ModelProto] = []

    def never(int8: onnx.ModelProto) -> bool:
        tried.append(int8)
        return False

    settled = settle(crushed_traced.model, ranges, features, holds=never)
    assert settled.kept_float == ()
    assert settled.model is tried[0]
    share = {damage.layer: damage.share_of_macs for damage in settled.ranking}
    for int8 in tried:
        float_weights = {w.name.removesuffix(".weight") for w in int8.graph.initializer}
        kept = [layer for layer in share if layer.removesuffix("/Conv") in float_weights]
        assert sum(share[layer] for layer in kept) <= MOST_IN_FLOAT
