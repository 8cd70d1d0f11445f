"""Error rates against their definition, worked out the slow way."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlet.metrics import equal_error_rate, equal_error_rate_with_interval

trials = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({positive for _, positive in rows}) == 2
)


def by_definition(scores: list[int], positive: list[bool]) -> float:
    """Over every threshold: misses below, false alarms at or above; the pair nearest to equal."""
    rates = []
    for threshold in [*sorted(set(scores)), max(scores) + 1]:
        below = [p for s, p in zip(scores, positive, strict=True) if s < threshold]
        above = [p for s, p in zip(scores, positive, strict=True) if s >= threshold]
        miss = Fraction(sum(below), sum(positive))
        false_alarm = Fraction(sum(not p for p in above), sum(not p for p in positive))
        rates.append((abs(miss - false_alarm), (miss + false_alarm) / 2))
    closest = min(distance for distance, _ in rates)
    return float(next(rate for distance, rate in rates if distance == closest))


@given(trials)
def test_the_rate_is_that_of_the_definition(rows: list[tuple[int, bool]]) -> None:
    scores, positive = [s for s, _ in rows], [p for _, p in rows]
    found = equal_error_rate(np.array(scores, dtype=float), np.array(positive))
    assert found.eer == pytest.approx(by_definition(scores, positive))


@given(trials)
def test_the_threshold_gives_the_rate(rows: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in rows], float), np.array([p for _, p in rows])
    found = equal_error_rate(scores, positive)
    miss = np.mean(scores[positive] < found.threshold)
    false_alarm = np.mean(scores[~positive] >= found.threshold)
    assert (miss + false_alarm) / 2 == pytest.approx(found.eer)


@given(trials, st.floats(0.1, 9))
def test_only_the_order_of_the_scores_counts(rows: list[tuple[int, bool]], scale: float) -> None:
    scores, positive = np.array([s for s, _ in rows], float), np.array([p for _, p in rows])
    moved = equal_error_rate(np.exp(scale * scores / 5), positive)
    assert moved.eer == equal_error_rate(scores, positive).eer


def test_perfect_hopeless_and_upside_down() -> None:
    positive = np.array([False, False, True, True])
    assert equal_error_rate(np.array([0.0, 1, 2, 3]), positive).eer == 0
    assert equal_error_rate(np.array([3.0, 2, 1, 0]), positive).eer == 1
    assert equal_error_rate(np.zeros(4), positive).eer == 0.5


def test_one_class_or_nan_has_no_rate() -> None:
    with pytest.raises(ValueError, match="found 2 positive and 0 negative"):
        equal_error_rate(np.zeros(2), np.array([True, True]))
    with pytest.raises(ValueError, match="1 scores are not finite"):
        equal_error_rate(np.array([0, np.nan]), np.array([True, False]))


def test_an_interval_holds_the_rate_and_widens_where_voices_repeat() -> None:
    rng = np.random.default_rng(1)
    voices = rng.normal(0, 1, 20).repeat(20)
    positive = np.arange(400) % 40 < 20
    scores = voices + rng.normal(0, 0.2, 400) + positive
    alone = [str(i) for i in range(400)]
    by_voice = [str(i // 20) for i in range(400)]

    def width(groups: list[str]) -> float:
        found = equal_error_rate_with_interval(
            scores, positive, groups=groups, rng=np.random.default_rng(2), resamples=200
        )
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.eer <= found.high
        return found.high - found.low

    assert width(by_voice) > 2 * width(alone)


def test_the_same_generator_gives_the_same_interval() -> None:
    scores = np.random.default_rng(1).normal(0, 1, 60)
    positive = np.arange(60) % 2 == 0
    groups = [str(i % 7) for i in range(60)]
    first, second = (
        equal_error_rate_with_interval(
            scores, positive, groups=groups, rng=np.random.default_rng(3), resamples=50
        )
        for _ in range(2)
    )
    assert first == second
