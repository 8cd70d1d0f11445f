"""Fused scores: the plain mean is plain, and the logistic one finds the best weights there are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.errors import UsageError
from earlet_bench.evaluation.calibration_cost import cllr
from earlet_bench.evaluation.curve import Ranking
from earlet_bench.evaluation.fusion import logistic_fusion, mean_fusion


def test_the_mean_is_of_raw_scores() -> None:
    scores = np.array([[1.0, -2.0], [5.0, 4.0]])
    assert mean_fusion(2)(scores).tolist() == [3.0, 1.0]


def test_gaussian_systems_get_the_weights_of_the_likelihood_ratio() -> None:
    # Independent systems with unit variance: the ratio is sum of d x - d^2 / 2.
    rng = np.random.default_rng(8)
    distances = np.array([2.0, 0.5, 0.0])
    positive = np.arange(40_000) % 4 == 0
    scores = rng.normal(size=(3, len(positive))) + distances[:, None] * positive
    fusion = logistic_fusion(scores, positive)
    assert fusion.weights == pytest.approx(distances, abs=0.08)
    assert fusion.offset == pytest.approx(-(distances**2).sum() / 2, abs=0.08)
    # It means what it says: no other scale costs less.
    fused = fusion(scores)
    best = cllr(fused, positive)
    assert best <= min(cllr(0.8 * fused, positive), cllr(1.25 * fused, positive))


def test_a_system_on_another_scale_spoils_the_mean_but_not_the_logistic() -> None:
    rng = np.random.default_rng(9)
    positive = np.arange(4_000) % 2 == 0
    good = rng.normal(size=4_000) + 3 * positive
    loud_and_poor = 100 * (rng.normal(size=4_000) + 0.2 * positive)
    scores = np.stack([good, loud_and_poor])

    def eer(fused: NDArray[np.float64]) -> float:
        return Ranking(-fused, ~positive).curve().eer

    assert eer(mean_fusion(2)(scores)) > 0.4
    assert eer(logistic_fusion(scores, positive)(scores)) < eer(good) + 0.005


def test_dev_scores_that_part_the_classes_completely_give_finite_weights() -> None:
    positive = np.array([False] * 5 + [True] * 5)
    fusion = logistic_fusion(np.stack([positive - 0.5, positive * 2.0]), positive)
    assert np.isfinite([*fusion.weights, fusion.offset]).all()
    assert min(fusion.weights) > 0


def test_what_cannot_be_learned_from_is_refused() -> None:
    positive = np.array([True, False, True])
    with pytest.raises(UsageError, match="both classes"):
        logistic_fusion(np.ones((2, 3)), np.ones(3, dtype=bool))
    with pytest.raises(UsageError, match="system 2 gives every dev trial the same score"):
        logistic_fusion(np.array([[1.0, 2, 3], [1, 1, 1]]), positive)
    with pytest.raises(UsageError, match="scores of 3 systems, expected 2"):
        mean_fusion(2)(np.ones((3, 4)))
