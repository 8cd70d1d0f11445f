"""Any length becomes windows that cover all of it, by the rule the model was trained with."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlet.errors import AudioError
from earlet.manifest import Pooling, Short, WindowPolicy
from earlet.windows import cut, fit, pool, starts

policies = st.builds(
    lambda window, hop, least, short: WindowPolicy(
        window_samples=window,
        hop_samples=hop,
        min_samples=1 + least % window,
        short=short,
    ),
    st.integers(1, 50),
    st.integers(1, 60),
    st.integers(0, 49),
    st.sampled_from(get_args(Short)),
)


def ramp(samples: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.arange(1, samples + 1, dtype=np.float32)


@given(policies, st.integers(1, 300))
def test_every_window_lies_inside_a_recording_that_is_long_enough(
    policy: WindowPolicy, samples: int
) -> None:
    begins = starts(samples, policy)
    assert begins[0] == 0
    assert begins == sorted(set(begins))
    if samples >= policy.window_samples:
        assert begins[-1] + policy.window_samples <= samples


@given(policies, st.integers(1, 300))
def test_the_last_window_is_flush_with_the_end(policy: WindowPolicy, samples: int) -> None:
    end = starts(samples, policy)[-1] + policy.window_samples
    assert end == max(samples, policy.window_samples)


@given(policies, st.integers(1, 300))
def test_with_a_hop_no_longer_than_the_window_no_sample_goes_unheard(
    policy: WindowPolicy, samples: int
) -> None:
    if policy.hop_samples > policy.window_samples or samples < policy.window_samples:
        return
    heard = np.zeros(samples, dtype=bool)
    for begin in starts(samples, policy):
        heard[begin : begin + policy.window_samples] = True
    assert heard.all()


@given(policies, st.integers(1, 300))
def test_cut_gives_what_starts_says(policy: WindowPolicy, samples: int) -> None:
    if samples < policy.min_samples or (
        policy.short == "reject" and samples < policy.window_samples
    ):
        with pytest.raises(AudioError):
            cut(ramp(samples), policy)
        return
    windows = cut(ramp(samples), policy)
    assert windows.shape == (len(starts(samples, policy)), policy.window_samples)
    assert windows.dtype == np.float32
    np.testing.assert_array_equal(windows[:, 0] - 1, starts(samples, policy))


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        ("tile", [1, 2, 3, 1, 2, 3, 1]),
        ("stretch", [1, 1, 1, 2, 2, 2, 3]),
        ("zero", [1, 2, 3, 0, 0, 0, 0]),
    ],
)
def test_a_short_recording_is_filled_by_the_rule(short: Short, expected: list[int]) -> None:
    policy = WindowPolicy(window_samples=7, hop_samples=7, min_samples=1, short=short)
    np.testing.assert_array_equal(fit(ramp(3), policy), np.array(expected, dtype=np.float32))


def test_a_recording_of_exactly_one_window_is_left_as_it_is() -> None:
    policy = WindowPolicy(window_samples=5, hop_samples=2, min_samples=1)
    np.testing.assert_array_equal(fit(ramp(5), policy), ramp(5))


def test_fit_takes_the_first_window_of_a_long_recording() -> None:
    policy = WindowPolicy(window_samples=4, hop_samples=2, min_samples=1)
    np.testing.assert_array_equal(fit(ramp(9), policy), ramp(4))


def test_too_short_is_refused_with_both_lengths() -> None:
    policy = WindowPolicy(window_samples=10, hop_samples=10, min_samples=6)
    with pytest.raises(AudioError, match=r"found 5 samples, and at least 6 are needed"):
        fit(ramp(5), policy)


def test_reject_refuses_what_is_shorter_than_the_window() -> None:
    policy = WindowPolicy(window_samples=10, hop_samples=10, min_samples=6, short="reject")
    with pytest.raises(AudioError, match="nothing shorter than its window of 10 samples"):
        fit(ramp(7), policy)


def test_two_channels_are_no_waveform() -> None:
    policy = WindowPolicy(window_samples=10, hop_samples=10, min_samples=6)
    with pytest.raises(AudioError, match=r"one channel \[T\]"):
        fit(np.zeros((2, 20), dtype=np.float32), policy)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", 1.0), ("max", 4.0), ("first", -2.0)])
def test_scores_pool_by_the_rule(pooling: Pooling, expected: float) -> None:
    policy = WindowPolicy(window_samples=1, hop_samples=1, min_samples=1, pooling=pooling)
    assert pool(np.array([-2.0, 4.0, 1.0]), policy) == expected
