"""Scores are log-odds, exact where a softmax would round to 0 or 1."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from earlet.manifest import Calibration, Manifest
from earlet.scores import calibrate, log_odds, probability, score_of, scores

logits = arrays(np.float32, (3, 4), elements=st.floats(-30, 30, width=32))


@given(logits, st.integers(0, 3))
def test_log_odds_are_those_of_the_softmax(
    x: np.ndarray[tuple[int, int], np.dtype[np.float32]], positive: int
) -> None:
    power = np.exp(x.astype(np.float64))
    p = power[:, positive] / power.sum(axis=1)
    rest = np.delete(power, positive, axis=1).sum(axis=1) / power.sum(axis=1)
    np.testing.assert_allclose(
        log_odds(x, positive_index=positive), np.log(p / rest), atol=1e-9, rtol=1e-9
    )


def test_with_two_classes_they_are_the_difference() -> None:
    x = np.array([[1.5, -2.0], [1e4, -1e4]], dtype=np.float32)
    np.testing.assert_array_equal(log_odds(x, positive_index=0), [3.5, 2e4])


def test_adding_a_constant_to_all_logits_changes_nothing() -> None:
    x = np.array([[1, 2, 3]], dtype=np.float32)
    assert log_odds(x + 100, positive_index=1) == pytest.approx(log_odds(x, positive_index=1))


def test_calibration_is_scale_then_offset(manifest: Manifest) -> None:
    raw = np.array([-1.0, 3.0])
    np.testing.assert_array_equal(calibrate(raw, Calibration(scale=2, offset=1)), [-1, 7])
    x = np.array([[0, 4]], dtype=np.float32)
    np.testing.assert_array_equal(scores(x, manifest), [0.5 * 4 + 0.125])


@given(
    st.integers(2, 5).flatmap(
        lambda k: arrays(np.float32, (2, k), elements=st.floats(width=32, allow_nan=False))
    ),
    st.integers(0, 1),
    st.floats(0.01, 100),
    st.floats(-50, 50),
)
# The manifest is frozen.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_score_has_the_bits_that_it_has_in_company(
    manifest: Manifest,
    x: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    positive: int,
    scale: float,
    offset: float,
) -> None:
    x = np.clip(x, -3e38, 3e38)
    names = tuple(f"label {i}" for i in range(x.shape[1]))
    changed = dataclasses.replace(
        manifest,
        labels=names,
        positive=names[positive],
        calibration=Calibration(scale=scale, offset=offset),
    )
    alone = np.array([score_of(row, changed) for row in x])
    assert alone.tobytes() == scores(x, changed).tobytes()


@given(st.floats(-1e6, 1e6))
def test_probability_stays_between_0_and_1_and_is_symmetric(score: float) -> None:
    p = probability(score)
    assert 0 <= p <= 1
    assert p + probability(-score) == pytest.approx(1)


def test_probability_is_the_inverse_of_log_odds() -> None:
    for p in (1e-9, 0.2, 0.5, 0.97):
        assert probability(math.log(p / (1 - p))) == pytest.approx(p)
