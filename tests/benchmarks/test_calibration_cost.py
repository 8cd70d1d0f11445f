"""Cllr against its integral for Gaussian scores, and small sets by hand."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtri
from scipy.stats import norm

from earlet_bench.evaluation.calibration_cost import best_ratios, cllr, min_cllr

LABELS = np.array([False, True, False, True])


def test_saying_as_likely_as_not_costs_one_bit() -> None:
    assert cllr(np.zeros(4), LABELS) == pytest.approx(1.0)


def test_sure_and_right_costs_nothing_sure_and_wrong_everything() -> None:
    sure = np.where(LABELS, 50.0, -50.0)
    assert cllr(sure, LABELS) == pytest.approx(0.0, abs=1e-12)
    assert cllr(-sure, LABELS) == pytest.approx(50 / np.log(2))
    assert np.isfinite(cllr(-100 * sure, LABELS))


def test_both_classes_count_the_same() -> None:
    scores, labels = np.array([1.0, -2.0]), np.array([True, False])
    repeated = cllr(scores.repeat([1, 9]), labels.repeat([1, 9]))
    assert repeated == pytest.approx(cllr(scores, labels))
    assert cllr(scores, labels, np.array([1.0, 9.0])) == pytest.approx(repeated)
    by_hand = (np.log2(1 + np.exp(-1)) + np.log2(1 + np.exp(-2))) / 2
    assert repeated == pytest.approx(by_hand)


def test_true_ratios_of_gaussian_scores_cost_the_integral() -> None:
    distance = 1.5
    quantiles = ndtri((np.arange(20_000) + 0.5) / 20_000)
    scores = np.concatenate([quantiles + distance, quantiles])
    labels = np.arange(40_000) < 20_000
    ratios = distance * scores - distance**2 / 2
    # By symmetry both classes contribute the same.
    expected, _ = quad(
        lambda x: norm.pdf(x - distance) * np.log2(1 + np.exp(distance**2 / 2 - distance * x)),
        -10,
        12,
    )
    assert cllr(ratios, labels) == pytest.approx(expected, abs=1e-4)
    assert min_cllr(ratios, labels) == pytest.approx(expected, abs=2e-3)
    # Scaled scores lose calibration and nothing else.
    assert cllr(3 * ratios + 1, labels) > expected + 0.1
    assert min_cllr(3 * ratios + 1, labels) == pytest.approx(min_cllr(ratios, labels))


def test_the_best_map_of_four_scores_by_hand() -> None:
    # 1 -> surely negative; 2 and 3 are the wrong way round, so one value; 4 -> surely positive.
    ratios = best_ratios(np.array([1.0, 2.0, 3.0, 4.0]), LABELS)
    assert ratios.tolist() == [-np.inf, 0.0, 0.0, np.inf] or ratios == pytest.approx(
        [-np.inf, 0, 0, np.inf]
    )
    assert min_cllr(np.array([1.0, 2.0, 3.0, 4.0]), LABELS) == pytest.approx(0.5)


def test_no_map_of_the_scores_costs_less_than_the_minimum() -> None:
    rng = np.random.default_rng(2)
    scores, labels = rng.normal(size=200), rng.random(200) < 0.2
    scores[labels] += 1
    least = min_cllr(scores, labels)
    for scale in (0.3, 0.7, 1.0, 2.0):
        for offset in (-1.0, -0.5, 0.0):
            assert cllr(scale * scores + offset, labels) >= least
