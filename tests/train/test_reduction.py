import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from earlet_train.adapters.average_pool import AverageMaxPool, AveragePool, ConvAveragePool
from earlet_train.adapters.change_hop import ChangeHop
from earlet_train.adapters.reduction import Reduction, ReductionSettings, kept_frames

SIZES = [(100, 0.0), (100, 0.25), (100, 0.75), (101, 0.5), (397, 0.75), (11, 0.6), (5, 0.75)]
REDUCTIONS: list[type[Reduction]] = [AveragePool, AverageMaxPool, ChangeHop, ConvAveragePool]


def features(frames: int, channels: int = 1, bins: int = 12) -> Tensor:
    return torch.randn(2, channels, bins, frames, generator=torch.Generator().manual_seed(frames))


def reduced(kind: type[Reduction], x: Tensor, delta: float) -> Tensor:
    torch.manual_seed(0)
    _, channels, bins, frames = x.shape
    adapter = kind(ReductionSettings(delta=delta), shape=(channels, bins, frames)).eval()
    with torch.no_grad():
        made: Tensor = adapter(x)
    return made


def test_no_frame_is_lost_to_floating_point() -> None:
    for frames in (1, 3, 100, 101, 397, 1000, 3000):
        for percent in range(100):
            kept = frames * (100 - percent) // 100
            if kept:
                assert kept_frames(frames, delta=percent / 100) == kept, (frames, percent)


def test_int_of_the_product_would_have_lost_one() -> None:
    """So this test is about something: the published expression gives 9."""
    assert int(100 * (1 - 0.9)) == 9
    assert kept_frames(100, delta=0.9) == 10


@pytest.mark.parametrize("delta", [-0.1, 1.0, 2.0, float("nan")])
def test_a_share_that_cannot_be_saved_is_refused(delta: float) -> None:
    with pytest.raises(ValueError, match="expected at least 0 and less than 1"):
        ReductionSettings(delta=delta)


def test_a_window_too_short_for_its_delta_is_refused() -> None:
    with pytest.raises(ValueError, match=r"leaves none of 3 frames: lower it"):
        AveragePool(ReductionSettings(delta=0.75), shape=(1, 8, 3))


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_another_window_than_the_one_it_was_built_for_is_refused(kind: type[Reduction]) -> None:
    adapter = kind(ReductionSettings(delta=0.5), shape=(1, 12, 100)).eval()
    with pytest.raises(ValueError, match=r"found .*99\], expected .*100\]"):
        adapter(features(99))


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize(("frames", "delta"), SIZES)
def test_all_keep_the_same_number_of_frames(
    kind: type[Reduction], frames: int, delta: float
) -> None:
    made = reduced(kind, features(frames), delta)
    assert made.shape == (2, 1, 12, kept_frames(frames, delta=delta))


@pytest.mark.parametrize(("frames", "delta"), SIZES)
def test_pooling_is_torch_s_adaptive_pooling(frames: int, delta: float) -> None:
    x = features(frames, channels=3)
    size = (12, kept_frames(frames, delta=delta))
    average, largest = F.adaptive_avg_pool2d(x, size), F.adaptive_max_pool2d(x, size)
    torch.testing.assert_close(reduced(AveragePool, x, delta), average, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        reduced(AverageMaxPool, x, delta), average + largest, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("frames", "delta"), SIZES)
def test_change_hop_takes_frames_as_they_are_equally_spread(frames: int, delta: float) -> None:
    x = torch.arange(frames, dtype=torch.float32).expand(2, 3, 4, frames)
    taken = reduced(ChangeHop, x, delta)[0, 0, 0].numpy()
    exact = np.linspace(0, frames - 1, len(taken))
    assert taken[0] == 0
    assert len(taken) == 1 or taken[-1] == frames - 1
    assert bool(((exact - taken > -1e-9) & (exact - taken < 1)).all())


def test_nothing_saved_means_nothing_changed() -> None:
    x = features(50)
    assert torch.equal(reduced(ChangeHop, x, 0.0), x)
    assert torch.equal(reduced(AveragePool, x, 0.0), x)


def test_conv_average_pool_adds_its_convolutions_to_the_features() -> None:
    adapter = ConvAveragePool(ReductionSettings(delta=0.5), shape=(1, 12, 40)).eval()
    for parameter in adapter.blocks.parameters():
        torch.nn.init.zeros_(parameter)
    x = features(40)
    torch.testing.assert_close(adapter(x), reduced(AveragePool, x, 0.5))
    # Three blocks of two steps: a 5-tap convolution with bias and a norm each.
    step = 12 * 12 * 5 + 12 + 2 * 12
    assert sum(p.numel() for p in adapter.parameters()) == 6 * step
