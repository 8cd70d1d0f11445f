"""Differences between rows, seed by seed: their interval, and the rule that decides."""

import math

import pytest
from scipy.stats import ttest_rel

from earlet_export.studies.compare import difference


def test_the_interval_is_that_of_the_paired_t_test() -> None:
    row, other = [0.20, 0.24, 0.19, 0.22], [0.25, 0.26, 0.22, 0.29]
    found = difference(row, other)
    reference = ttest_rel(row, other).confidence_interval(0.95)
    assert found.mean == pytest.approx(-0.0425)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert found.values == pytest.approx((-0.05, -0.02, -0.03, -0.07))


def test_a_lower_error_on_every_seed_is_better() -> None:
    assert difference([0.20, 0.21, 0.22], [0.30, 0.31, 0.33]).verdict == "better"
    assert difference([0.30, 0.31, 0.33], [0.20, 0.21, 0.22]).verdict == "worse"


def test_differences_of_both_signs_cannot_be_told() -> None:
    assert difference([0.20, 0.22], [0.21, 0.21]).verdict == "cannot be told from 2 seeds"


def test_two_seeds_tell_little_even_where_both_agree() -> None:
    assert difference([0.20, 0.22], [0.21, 0.25]).verdict == "cannot be told from 2 seeds"


def test_a_single_seed_has_no_interval_and_no_verdict() -> None:
    found = difference([0.20], [0.30])
    assert math.isnan(found.low)
    assert found.points == "-10.0"
    assert found.verdict == "cannot be told from 1 seed"


def test_points_are_of_a_hundred_and_signed() -> None:
    assert difference([0.2, 0.2], [0.1, 0.1]).points == "+10.0 [+10.0, +10.0]"
