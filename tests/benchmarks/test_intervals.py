"""Intervals hold the truth as often as they say, which is tried out on simulated data."""

import numpy as np
import pytest
from scipy.special import ndtr

from earlet_bench.evaluation.curve import Ranking
from earlet_bench.evaluation.intervals import Estimate, estimate, resampled

VOICES, TAKES, SPREAD, DISTANCE = 30, 8, 1.2, 2.5


def simulated(seed: int, *, by_voice: bool) -> Estimate:
    """The EER of one simulated evaluation: each class has voices, each voice its own shift."""
    rng = np.random.default_rng(seed)
    shifts = rng.normal(0, SPREAD, 2 * VOICES).repeat(TAKES)
    bona_fide = np.arange(2 * VOICES * TAKES) < VOICES * TAKES
    scores = shifts + rng.normal(size=len(shifts)) + DISTANCE * bona_fide
    ranking = Ranking(scores, bona_fide)
    groups = [str(i // TAKES if by_voice else i) for i in range(len(scores))]
    return estimate(
        lambda weights: ranking.curve(weights).eer,
        groups=groups,
        classes=["human" if b else "machine" for b in bona_fide],
        rng=rng,
        resamples=150,
    )


def coverage(*, by_voice: bool, runs: int = 200) -> float:
    truth = ndtr(-DISTANCE / 2 / np.sqrt(1 + SPREAD**2))
    found = [simulated(seed, by_voice=by_voice) for seed in range(runs)]
    assert all(f.low is not None and f.high is not None for f in found)
    return float(np.mean([(f.low or 0) <= truth <= (f.high or 0) for f in found]))


def test_95_percent_intervals_cover_in_about_95_percent_of_simulations() -> None:
    # Of 200 runs 190 are expected, give or take 6; that there are but 30 voices takes some off.
    assert 0.89 <= coverage(by_voice=True) <= 0.99


def test_resampling_single_trials_of_voices_covers_too_seldom() -> None:
    assert coverage(by_voice=False) < 0.75


def test_a_voice_comes_whole_or_not_at_all_and_classes_keep_their_number() -> None:
    groups, classes = ["a", "a", "b", "b", "c", "d"], ["x"] * 4 + ["y"] * 2
    for weights in resampled(groups, classes=classes, rng=np.random.default_rng(1), resamples=50):
        assert weights[0] == weights[1]
        assert weights[2] == weights[3]
        assert weights[0] + weights[2] == 2
        assert weights[4] + weights[5] == 2


def test_a_single_group_is_resampled_by_trial() -> None:
    drawn = np.array(
        list(resampled(["s"] * 5, classes=["x"] * 5, rng=np.random.default_rng(1), resamples=50))
    )
    assert (drawn.sum(axis=1) == 5).all()
    assert drawn.std(axis=0).min() > 0


def test_the_interval_of_a_mean_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(10, 2, 400)
    found = estimate(
        lambda weights: float(values @ weights / weights.sum()),
        groups=[str(i) for i in range(400)],
        classes=["x"] * 400,
        rng=rng,
        resamples=2000,
    )
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)


def test_without_resamples_there_is_no_interval() -> None:
    found = estimate(
        lambda weights: float(weights.sum()),
        groups=["a", "b"],
        classes=["x", "x"],
        rng=np.random.default_rng(0),
        resamples=0,
    )
    assert found == Estimate(value=2.0)
