import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.signal import savgol_filter
from torch import Tensor

from earlet_train.frontends.deltas import (
    difference,
    regression,
    savitzky_golay,
    valid_regression,
    with_slopes,
)

RAMP = torch.arange(20.0, dtype=torch.float64)[None, None, None]


def features(frames: int = 30, bins: int = 4) -> Tensor:
    return torch.from_numpy(np.random.default_rng(3).standard_normal((2, 1, bins, frames)))


def test_a_difference_is_two_steps_inside_and_one_at_the_edges() -> None:
    slope = difference(RAMP)[0, 0, 0]
    assert slope.tolist() == [1.0] + [2.0] * 18 + [1.0]


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_a_regression_is_the_least_squares_slope_of_repeated_edges(reach: int) -> None:
    x = features()
    padded = np.pad(x.numpy(), ((0, 0),) * 3 + ((reach, reach),), mode="edge")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=-1)
    flat = frames.reshape(-1, 2 * reach + 1).T
    expected = np.polyfit(np.arange(-reach, reach + 1), flat, 1)[0].reshape(x.shape)
    np.testing.assert_allclose(regression(x, reach=reach).numpy(), expected, atol=1e-12)


def test_five_valid_taps_are_those_of_the_relevance_paper() -> None:
    x = features()
    expected = (x[..., 3:-1] - x[..., 1:-3]) / 10 + (x[..., 4:] - x[..., :-4]) / 5
    torch.testing.assert_close(valid_regression(x, reach=2), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [9, 10, 126])
@pytest.mark.parametrize("width", [3, 5, 9])
def test_savitzky_golay_equals_scipy_edges_included(frames: int, width: int) -> None:
    x = features(frames)
    expected = savgol_filter(x.numpy(), width, deriv=1, polyorder=1, axis=-1, mode="interp")
    np.testing.assert_allclose(savitzky_golay(x, width=width).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("slope", [regression, savitzky_golay, valid_regression])
def test_a_ramp_of_one_per_frame_has_the_slope_one(slope: Callable[[Tensor], Tensor]) -> None:
    inner = slope(RAMP)[..., 1:-1]
    torch.testing.assert_close(inner, torch.ones_like(inner))


def test_slopes_of_slopes_stand_below_the_values() -> None:
    x = features(bins=4)
    stacked = with_slopes(x, difference)
    assert stacked.shape == (2, 1, 12, 30)
    assert torch.equal(stacked[:, :, :4], x)
    assert torch.equal(stacked[:, :, 8:], difference(difference(x)))
    assert torch.equal(with_slopes(x, difference, orders=0), x)


def test_values_and_slopes_of_one_frame_stay_together_when_edges_are_left_out() -> None:
    x = features(bins=4)
    stacked = with_slopes(x, functools.partial(valid_regression, reach=1))
    assert stacked.shape == (2, 1, 12, 26)
    assert torch.equal(stacked[:, :, :4], x[..., 2:-2])
    torch.testing.assert_close(stacked[:, :, 4:8], (x[..., 3:-1] - x[..., 1:-3]) / 2)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="9 frames needs as many"):
        savitzky_golay(features(8))
    with pytest.raises(ValueError, match="must be odd"):
        savitzky_golay(features(), width=8)
