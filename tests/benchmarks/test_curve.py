"""The challenges' curve and equal error rate: by hand, by formula, and beside sklearn."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from sklearn.metrics import det_curve

from earlet.errors import UsageError
from earlet.metrics import equal_error_rate
from earlet_bench.evaluation.curve import Ranking, check_soft, two_sets

Floats = NDArray[np.float64]


def gaussian(mean: float, *, count: int = 20_001) -> Floats:
    """The quantiles of a normal distribution: a sample without any luck in it."""
    quantiles: Floats = mean + ndtri((np.arange(count) + 0.5) / count)
    return quantiles


@pytest.mark.parametrize("distance", [0.5, 1.0, 2.0, 4.0])
def test_gaussian_scores_have_the_rate_of_the_formula(distance: float) -> None:
    curve = two_sets(gaussian(distance), gaussian(0.0)).curve()
    assert curve.eer == pytest.approx(ndtr(-distance / 2), abs=1e-4)
    assert curve.eer_threshold == pytest.approx(distance / 2, abs=1e-3)


def test_a_small_set_worked_out_by_hand() -> None:
    # Sorted: spoof 1, bona fide 2, spoof 3, bona fide 4, bona fide 5.
    curve = two_sets(np.array([2.0, 4.0, 5.0]), np.array([1.0, 3.0])).curve()
    assert curve.thresholds.tolist() == [1 - 0.001, 1, 2, 3, 4, 5]
    assert curve.miss.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    assert curve.false_alarm.tolist() == [1, 0.5, 0.5, 0, 0, 0]
    # Nearest at the third point: |1/3 - 1/2| = 1/6.
    assert curve.eer == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert curve.eer_threshold == 2


def test_of_equal_scores_the_bona_fide_ones_are_rejected_first() -> None:
    # As a stable merge sort does it that has them listed first.
    curve = two_sets(np.array([1.0, 2.0]), np.array([0.0, 1.0])).curve()
    assert curve.miss.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.false_alarm.tolist() == [1, 0.5, 0.5, 0, 0]
    shuffled = Ranking(np.array([1.0, 2.0, 0.0, 1.0]), np.array([False, True, False, True]))
    assert shuffled.curve().eer == curve.eer == 0.5


def test_every_point_of_sklearn_lies_on_the_curve() -> None:
    rng = np.random.default_rng(3)
    scores, bona_fide = rng.normal(size=300), rng.random(300) < 0.3
    scores[bona_fide] += 1
    curve = Ranking(scores, bona_fide).curve()
    found = set(zip(curve.false_alarm.round(12), curve.miss.round(12), strict=True))
    false_alarm, miss, _ = det_curve(bona_fide, scores)
    assert len(miss) > 100
    assert set(zip(false_alarm.round(12), miss.round(12), strict=True)) <= found


def test_the_rate_is_the_runtimes_where_no_score_comes_twice() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        scores, spoof = rng.normal(size=61), rng.random(61) < 0.4
        own = Ranking(-scores, ~spoof).curve().eer
        # Where two thresholds are equally near, the two start from opposite ends.
        step = 0.5 / min(spoof.sum(), (~spoof).sum())
        assert own == pytest.approx(equal_error_rate(scores, spoof).eer, abs=1.001 * step)


def test_weights_count_a_trial_as_often_as_repeating_it_would() -> None:
    rng = np.random.default_rng(5)
    scores, bona_fide = rng.normal(size=40), np.arange(40) % 3 == 0
    weights = rng.integers(0, 4, size=40).astype(float)
    repeats = weights.astype(int)
    weighted = Ranking(scores, bona_fide).curve(weights)
    repeated = Ranking(scores.repeat(repeats), bona_fide.repeat(repeats)).curve()
    points = set(zip(repeated.miss.round(9), repeated.false_alarm.round(9), strict=True))
    assert set(zip(weighted.miss.round(9), weighted.false_alarm.round(9), strict=True)) <= points


def test_a_missing_class_is_refused() -> None:
    with pytest.raises(UsageError, match="found 3 bona fide and 0 spoofed"):
        Ranking(np.arange(3.0), np.ones(3, dtype=bool))


def test_a_score_that_is_no_number_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"1 of 4 scores are not finite; the first is nan of.*3"):
        Ranking(np.array([0, 1, np.nan, 2]), np.array([True, False, True, False]))


def test_decisions_are_no_scores() -> None:
    with pytest.raises(UsageError, match=r"only 2 different value.*soft output"):
        check_soft(np.array([0.0, 1.0, 1.0, 0.0]))
    check_soft(np.array([0.0, 0.5, 1.0]))
