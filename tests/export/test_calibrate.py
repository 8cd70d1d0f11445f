import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.errors import UsageError
from earlet_export.calibrate import STATISTICS, Ranges, Statistic, observe
from earlet_export.quantize import quantize
from earlet_export.run import Runner, one_by_one
from earlet_export.trace import Traced

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def features(traced: Traced, waveforms: Array) -> Array:
    return one_by_one(Runner.of(traced.frontend), waveforms)


def clips(features: Array) -> list[Array]:
    return [clip[None] for clip in features]


def ends(ranges: Ranges) -> dict[str, tuple[float, float]]:
    return {
        name: (float(np.min(low)), float(np.max(high)))
        for name in ranges.data
        for low, high in [ranges.data[name].range_value]
    }


def test_minmax_spans_what_was_seen_and_the_others_lie_within_it(
    traced: Traced, features: Array
) -> None:
    found = {m: ends(observe(traced.model, clips(features), method=m)) for m in STATISTICS}
    low, high = found["minmax"]["features"]
    assert (low, high) == (features.min(), features.max())
    for method in ("entropy", "percentile"):
        assert found[method].keys() == found["minmax"].keys()
        for name, (low, high) in found["minmax"].items():
            assert low <= found[method][name][0] <= found[method][name][1] <= high, name
    assert found["entropy"] != found["minmax"]
    assert found["percentile"] != found["minmax"]


def test_one_wild_value_widens_minmax_and_not_entropy(traced: Traced, features: Array) -> None:
    wild = features.copy()
    wild[3, 0, 0, 0] = 1000.0
    high = {
        method: ends(observe(traced.model, clips(wild), method=method))["features"][1]
        for method in STATISTICS
    }
    assert high["minmax"] == 1000.0
    assert high["entropy"] < 500


@pytest.mark.parametrize("method", STATISTICS)
def test_int8_of_every_method_follows_the_float_answer(
    method: Statistic, traced: Traced, features: Array
) -> None:
    ranges = observe(traced.model, clips(features), method=method)
    exact = one_by_one(Runner.of(traced.model), features)
    moved = one_by_one(Runner.of(quantize(traced.model, ranges)), features)
    assert 0 < np.abs(exact - moved).max() < 0.2 * np.abs(exact).max()


@pytest.mark.parametrize("method", STATISTICS)
def test_the_same_clips_give_the_same_ranges(
    method: Statistic, traced: Traced, features: Array
) -> None:
    first, second = (ends(observe(traced.model, clips(features), method=method)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("method", STATISTICS)
def test_clips_of_varying_length_never_reach_the_calibrators(
    method: Statistic, traced: Traced, features: Array
) -> None:
    varying = [*clips(features), clips(features)[0][..., :-1]]
    with pytest.raises(UsageError, match=r"clip 9 has features of shape .* one length only"):
        observe(traced.model, varying, method=method)


@pytest.mark.parametrize("method", STATISTICS)
def test_no_clip_at_all_is_refused(method: Statistic, traced: Traced) -> None:
    with pytest.raises(UsageError, match="no clip to calibrate"):
        observe(traced.model, [], method=method)


def test_a_silent_first_clip_costs_no_memory(traced: Traced, features: Array) -> None:
    # ONNX Runtime alone would cut the loud clips into bins as narrow as the silent one needs.
    silent = np.full_like(clips(features)[0], 1e-7)
    ranges = observe(traced.model, [silent, *clips(features)], method="entropy")
    assert all(len(ranges.data[name].hist) < 1000 for name in ranges.data)


def test_a_histogram_looks_at_a_few_dozen_clips_and_says_so(
    traced: Traced, features: Array
) -> None:
    many = clips(features) * 8
    assert observe(traced.model, many, method="percentile").clips == 48
    assert observe(traced.model, many).clips == 64
