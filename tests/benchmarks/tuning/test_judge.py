"""What was found when, what was seen where nothing was, and how sure that is."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from tracks.made import HOP_S, SHARP, track

from earlet_bench.tuning.judge import alarms, figures, outcome, outcomes, poisson_interval, quantile
from earlet_bench.tuning.page import with_interval


def test_an_event_in_the_stretch_is_found_and_others_are_repeats_or_false() -> None:
    scores = [-2.0] * 60
    # Windows end at 2.0, 2.5, ...: false at 7.0; found at 17.0; again at 20.0; late at 26.5;
    # false at 29.0.
    for k in (10, 30, 36, 49, 54):
        scores[k] = 2.0
    one = track(scores, (15.0, 25.0))
    found = outcome(alarms(SHARP, one), one, positive="spoof")
    assert found.targets[0].latency_s == 2.0
    assert found.targets[0].unnoticed == 0.2
    assert (found.false_alarms, found.repeats) == (2, 2)
    # 31.5 s, less the stretch and a window after it.
    assert found.free_h * 3600 == pytest.approx(31.5 - 12.0)
    # Each single score stands for one hop; those of the two false ones.
    assert found.standing_h * 3600 == pytest.approx(2 * HOP_S)


def test_an_alarm_that_stands_already_is_no_find() -> None:
    one = track([2.0] * 60, (15.0, 25.0))
    found = outcome(alarms(SHARP, one), one, positive="spoof")
    assert found.targets[0].latency_s is None
    assert found.targets[0].unnoticed == 1.0
    assert (found.false_alarms, found.repeats) == (1, 0)
    # From when it is known to the end of the sound, but for the stretch and a window after it.
    assert found.standing_h * 3600 == pytest.approx(31.5 - 2.0 - 12.0)


def test_what_the_graph_lags_behind_is_added_to_the_latency() -> None:
    one = dataclasses.replace(track([-2.0] * 20 + [2.0] * 20, (10.0, 20.0)), lag_s=0.3)
    found = outcome(alarms(SHARP, one), one, positive="spoof")
    assert found.targets[0].latency_s == pytest.approx(2.3)


def test_missed_ones_are_later_than_any() -> None:
    tracks = [
        track([-2.0] * 20 + [2.0] * (20 * hit) + [-2.0] * (20 * (1 - hit)), (10.0, 20.0), speaker=s)
        for s, hit in (("a", 1), ("b", 1), ("c", 0))
    ]
    found = figures(outcomes(SHARP, tracks, positive="spoof"), hours=1.0)
    assert (found.targets, found.misses) == (3, 1)
    assert found.median_latency_s is not None
    assert found.median_latency_s.value == 2.0
    assert found.median_latency_s.high == math.inf
    assert found.p90_latency_s is None
    assert found.point("tones").p90_latency_s is None
    nothing = figures(outcomes(SHARP, tracks[2:], positive="spoof"), hours=1.0)
    assert nothing.median_latency_s is None


def test_no_false_alarm_in_an_hour_is_not_proof_of_none() -> None:
    tracks = [track([-2.0] * 7200, speaker=s) for s in "abc"]
    found = figures(outcomes(SHARP, tracks, positive="spoof"), hours=3.0)
    rate = found.false_alarms_per_hour
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(3.69 / 3.0, rel=0.01)
    assert with_interval(rate, digits=2) == "0.00 (0.00 to 1.23)"


@pytest.mark.parametrize("count", [0, 1, 4, 50])
def test_the_poisson_interval_is_the_textbooks(count: int) -> None:
    low, high = poisson_interval(count)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2 if count else 0.0, abs=1e-6)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_weighted_quantile_is_that_of_the_values_repeated(pairs: list[tuple[float, int]]) -> None:
    values = np.array([v for v, _ in pairs])
    weights = np.array([float(w) for _, w in pairs])
    repeated = np.sort(np.repeat(values, weights.astype(int)))
    for share in (0.5, 0.9):
        found = quantile(values, weights, share)
        if len(repeated):
            assert found == repeated[math.ceil(share * len(repeated) - 1e-9) - 1]
        else:
            assert found > 1e9
