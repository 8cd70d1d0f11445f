"""Order is compared as scipy compares it, without scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from earlet.agreement import Ranks, rank_agreement, ranks_of


def test_one_order_on_two_scales_is_full_agreement() -> None:
    scores = np.array([3.0, -1.0, 0.5, 9.0])
    assert rank_agreement(scores, np.exp(scores)) == Ranks(spearman=1.0, ordered_alike=1.0)


def test_the_order_turned_round_is_full_disagreement() -> None:
    scores = np.array([3.0, -1.0, 0.5, 9.0])
    assert rank_agreement(scores, -scores) == Ranks(spearman=-1.0, ordered_alike=0.0)


def test_one_swapped_pair_of_four_is_five_sixths_alike() -> None:
    assert rank_agreement([1, 2, 3, 4], [1, 3, 2, 4]).ordered_alike == pytest.approx(5 / 6)


def test_a_tie_made_by_the_second_counts_half() -> None:
    assert rank_agreement([1, 2, 3], [1, 2, 2]).ordered_alike == pytest.approx(5 / 6)


def test_a_list_of_one_value_has_no_order() -> None:
    assert rank_agreement([1, 1, 1], [1, 2, 3]) == Ranks(spearman=None, ordered_alike=None)
    assert rank_agreement([1, 2, 3], [4, 4, 4]) == Ranks(spearman=None, ordered_alike=0.5)
    assert rank_agreement([], []) == Ranks(spearman=None, ordered_alike=None)


def test_more_recordings_than_fit_one_block_change_nothing() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(2500)
    moved = scores + 0.3 * rng.standard_normal(2500)
    found = rank_agreement(scores, moved)
    assert found.ordered_alike == pytest.approx((1 + stats.kendalltau(scores, moved)[0]) / 2)
    assert found.spearman == pytest.approx(stats.spearmanr(scores, moved)[0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=30))
def test_with_ties_the_ranks_are_scipys(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=np.float64).T
    np.testing.assert_array_equal(ranks_of(first), stats.rankdata(first))
    found = rank_agreement(first, second)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert found.spearman is None
    else:
        assert found.spearman == pytest.approx(stats.spearmanr(first, second)[0], abs=1e-12)


@pytest.mark.parametrize("bad", [[1.0, np.nan], [1.0, np.inf], [1.0]])
def test_what_has_no_order_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match=r"not finite|one length"):
        rank_agreement([1.0, 2.0], bad)
