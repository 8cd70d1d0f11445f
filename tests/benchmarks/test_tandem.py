"""Both t-DCFs against loops written from the definitions, and against formulas."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from earlet.errors import UsageError
from earlet_bench.evaluation.curve import two_sets
from earlet_bench.evaluation.tandem import (
    AsvRates,
    Coefficients,
    asv_rates,
    legacy_coefficients,
    min_t_dcf,
    revised_coefficients,
)

Floats = NDArray[np.float64]

P_SPOOF, P_TARGET, P_NONTARGET = 0.05, 0.9405, 0.0095


def slow_rates(target: Floats, nontarget: Floats, spoof: Floats) -> tuple[float, float, float]:
    """(Pmiss, Pfa, Pfa of spoof) at the verifier's equal error, every threshold tried in turn."""
    every = sorted([*target, *nontarget])
    best, at = np.inf, every[0] - 0.001
    for threshold in [every[0] - 0.001, *every]:
        # The curve's points: everything up to and with the threshold is rejected.
        miss = sum(s <= threshold for s in target) / len(target)
        false_alarm = sum(s > threshold for s in nontarget) / len(nontarget)
        if abs(miss - false_alarm) < best:
            best, at = abs(miss - false_alarm), threshold
    return (
        sum(s < at for s in target) / len(target),
        sum(s >= at for s in nontarget) / len(nontarget),
        sum(s >= at for s in spoof) / len(spoof),
    )


def slow_costs(
    bona_fide: Floats, spoof: Floats, miss_asv: float, fa_asv: float, fa_spoof: float
) -> tuple[float, float]:
    """(legacy, revised): the published formulas, minimized over every threshold in turn."""
    c1_legacy = P_TARGET * (1 - 1 * miss_asv) - P_NONTARGET * 10 * fa_asv
    c2_legacy = 10 * P_SPOOF * fa_spoof
    c0 = P_TARGET * 1 * miss_asv + P_NONTARGET * 10 * fa_asv
    c1, c2 = P_TARGET * 1 - c0, P_SPOOF * 10 * fa_spoof
    legacy, revised = [], []
    for threshold in [-np.inf, *bona_fide, *spoof]:
        miss = sum(s <= threshold for s in bona_fide) / len(bona_fide)
        false_alarm = sum(s > threshold for s in spoof) / len(spoof)
        legacy.append((c1_legacy * miss + c2_legacy * false_alarm) / min(c1_legacy, c2_legacy))
        revised.append((c0 + c1 * miss + c2 * false_alarm) / (c0 + min(c1, c2)))
    return min(legacy), min(revised)


@pytest.mark.parametrize("seed", range(8))
def test_both_costs_are_those_of_a_loop_over_all_thresholds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, nontarget, attack = rng.normal(3, 1, 60), rng.normal(0, 1, 70), rng.normal(2, 1, 50)
    bona_fide, spoof = rng.normal(1.5, 1, 40), rng.normal(0, 1.3, 90)
    rates = asv_rates(target, nontarget, attack)
    expected = slow_rates(target, nontarget, attack)
    assert (rates.miss, rates.false_alarm, rates.false_alarm_spoof) == pytest.approx(expected)
    curve = two_sets(bona_fide, spoof).curve()
    legacy, revised = slow_costs(bona_fide, spoof, *expected)
    assert min_t_dcf(curve, legacy_coefficients(rates)) == pytest.approx(legacy)
    assert min_t_dcf(curve, revised_coefficients(rates)) == pytest.approx(revised)


def test_the_weights_of_one_verifier_by_hand() -> None:
    rates = AsvRates(miss=0.1, false_alarm=0.1, false_alarm_spoof=0.6)
    legacy, revised = legacy_coefficients(rates), revised_coefficients(rates)
    assert legacy.c0 == 0
    assert legacy.c1 == pytest.approx(0.9405 * 0.9 - 0.095 * 0.1)
    assert legacy.c2 == pytest.approx(0.3)
    assert revised.c0 == pytest.approx(0.09405 + 0.0095)
    assert revised.c1 == pytest.approx(0.9405 - 0.10355)
    assert revised.c2 == pytest.approx(0.3)
    assert revised.floor == pytest.approx(0.10355 / 0.40355)


@pytest.mark.parametrize("distance", [1.0, 3.0])
def test_gaussian_scores_cost_what_the_formula_says(distance: float) -> None:
    quantiles = ndtri((np.arange(20_001) + 0.5) / 20_001)
    curve = two_sets(quantiles + distance, quantiles).curve()
    weights = Coefficients(c0=0.1, c1=0.8, c2=0.3)
    # The derivative of c1 ndtr(t - d) + c2 ndtr(-t) vanishes there.
    at = distance / 2 + np.log(weights.c2 / weights.c1) / distance
    cost = 0.1 + 0.8 * ndtr(at - distance) + 0.3 * ndtr(-at)
    assert min_t_dcf(curve, weights) == pytest.approx(cost / 0.4, abs=1e-4)


def test_a_faultless_detector_reaches_the_floor_and_a_useless_one_costs_1() -> None:
    rates = AsvRates(miss=0.05, false_alarm=0.05, false_alarm_spoof=0.4)
    faultless = two_sets(np.array([2.0, 3.0]), np.array([0.0, 1.0])).curve()
    upside_down = two_sets(np.array([0.0, 1.0]), np.array([2.0, 3.0])).curve()
    for weights in (legacy_coefficients(rates), revised_coefficients(rates)):
        assert min_t_dcf(faultless, weights) == pytest.approx(weights.floor)
        assert min_t_dcf(upside_down, weights) == pytest.approx(1.0)
    assert legacy_coefficients(rates).floor == 0
    assert revised_coefficients(rates).floor > 0.1


def test_behind_a_faultless_verifier_the_two_definitions_agree_and_else_differ() -> None:
    rng = np.random.default_rng(9)
    curve = two_sets(rng.normal(2, 1, 200), rng.normal(0, 1, 200)).curve()

    def both(miss: float) -> tuple[float, float]:
        rates = AsvRates(miss=miss, false_alarm=miss, false_alarm_spoof=0.5)
        return (
            min_t_dcf(curve, legacy_coefficients(rates)),
            min_t_dcf(curve, revised_coefficients(rates)),
        )

    legacy, revised = both(0.0)
    assert legacy == pytest.approx(revised)
    legacy, revised = both(0.1)
    assert revised > legacy + 0.05


def test_a_verifier_without_one_kind_of_trial_is_refused() -> None:
    with pytest.raises(UsageError, match="2 target, 0 nontarget and 1 spoofed"):
        asv_rates(np.ones(2), np.zeros(0), np.ones(1))


@pytest.mark.parametrize(
    "weights", [(-0.1, 0.5, 0.5), (0.1, -0.5, 0.5), (0.0, 0.5, 0.0), (np.nan, 0.5, 0.5)]
)
def test_weights_that_no_cost_can_have_are_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="t-DCF cannot be made of"):
        Coefficients(c0=weights[0], c1=weights[1], c2=weights[2])
