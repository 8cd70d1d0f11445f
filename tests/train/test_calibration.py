import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.manifest import Calibration
from earlet.scores import calibrate
from earlet_train.calibration import fit_calibration, operating_point


def drawn(
    positives: int = 4000, negatives: int = 4000
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores at +-1 with spread 1: their true log-odds are twice the score."""
    rng = np.random.default_rng(2)
    is_positive = np.arange(positives + negatives) < positives
    return np.where(is_positive, 1.0, -1.0) + rng.standard_normal(len(is_positive)), is_positive


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.01, 5.0), (300.0, -2000.0)])
def test_it_finds_the_log_odds_under_any_affine_disguise(scale: float, offset: float) -> None:
    raw, is_positive = drawn()
    disguised = raw * scale + offset
    scores = calibrate(disguised, fit_calibration(disguised, is_positive))
    slope, middle = np.polyfit(raw, scores, 1)
    assert slope == pytest.approx(2.0, abs=0.15)
    assert middle == pytest.approx(0.0, abs=0.1)


def test_a_rare_class_weighs_as_much_as_a_frequent_one() -> None:
    raw, is_positive = drawn(positives=400, negatives=8000)
    fitted = fit_calibration(raw, is_positive)
    assert fitted.offset == pytest.approx(0.0, abs=0.2)


def test_classes_that_do_not_overlap_give_a_finite_scale() -> None:
    is_positive = np.arange(40) < 20
    fitted = fit_calibration(np.where(is_positive, 1.0, -1.0), is_positive)
    assert 0 < fitted.scale < 100


def test_scores_the_wrong_way_round_are_not_turned() -> None:
    raw, is_positive = drawn()
    assert fit_calibration(-raw, is_positive) == Calibration()


def test_equal_scores_are_survived() -> None:
    assert np.isfinite(fit_calibration(np.zeros(10), np.arange(10) < 5).scale)


def test_the_threshold_misses_as_often_as_it_raises_false_alarms() -> None:
    raw, is_positive = drawn()
    fitted = fit_calibration(raw, is_positive)
    threshold, point = operating_point(raw, is_positive, fitted, data="drawn")
    assert point.miss_rate == pytest.approx(point.false_alarm_rate, abs=1e-3)
    # Two normals two deviations apart: Phi(-1).
    assert point.miss_rate == pytest.approx(0.1587, abs=0.01)
    assert threshold == pytest.approx(0.0, abs=0.1)
