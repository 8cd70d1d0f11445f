import numpy as np
import torch
from torch import Tensor

from earlet_train.augmentations.band_mask import BandMask, BandMaskSettings

FEATURES = 5.0 + torch.randn(50, 3, 32, 40, generator=torch.Generator().manual_seed(0))


def masked(settings: BandMaskSettings) -> tuple[Tensor, Tensor]:
    """-> the masked features, and where they differ [B, C, F, N]."""
    mask = BandMask(settings, sample_rate_hz=16_000)
    changed = mask.features(FEATURES, np.random.default_rng(0))
    return changed, changed != FEATURES


def test_a_mask_blanks_no_more_than_its_stripes() -> None:
    _, is_blank = masked(BandMaskSettings(probability=1.0, bins=4, frames=5))
    assert int(is_blank.all(dim=3).sum(dim=2).max()) == 4
    assert int(is_blank.all(dim=2).sum(dim=2).max()) == 5


def test_the_published_widths_stay_below_13_bins_and_40_frames() -> None:
    _, is_blank = masked(BandMaskSettings(probability=1.0, bins=12, frames=39))
    assert int(is_blank.all(dim=3).sum(dim=2).max()) == 12
    assert 30 < int(is_blank.all(dim=2).sum(dim=2).max()) <= 39


def test_count_is_the_number_of_stripes() -> None:
    _, is_blank = masked(BandMaskSettings(probability=1.0, bins=2, frames=0, count=4))
    rows = is_blank[:, 0].all(dim=2).int()
    starts = (torch.diff(rows, dim=1, prepend=torch.zeros(50, 1, dtype=torch.int)) == 1).sum(dim=1)
    assert int(starts.max()) == 4
    assert int(rows.sum(dim=1).max()) <= 8


def test_the_same_cells_are_blank_in_every_channel() -> None:
    _, is_blank = masked(BandMaskSettings(probability=1.0, count=2))
    assert torch.equal(is_blank, is_blank[:, :1].expand_as(is_blank))


def test_blank_is_each_channels_mean_or_zero() -> None:
    means = FEATURES.mean(dim=(2, 3), keepdim=True).expand_as(FEATURES)
    changed, is_blank = masked(BandMaskSettings(probability=1.0))
    assert torch.equal(changed[is_blank], means[is_blank])
    changed, is_blank = masked(BandMaskSettings(probability=1.0, blank="zero"))
    assert bool((changed[is_blank] == 0).all())
    assert bool(is_blank.any())


def test_half_of_the_windows_are_masked_at_probability_one_half() -> None:
    settings = BandMaskSettings(probability=0.5, bins=30, frames=30)
    _, is_blank = masked(settings)
    assert 15 <= int(is_blank.flatten(1).any(dim=1).sum()) <= 35


def test_the_lowest_blank_is_what_silence_would_be() -> None:
    features = torch.randn(3, 2, 10, 20, generator=torch.Generator().manual_seed(1)) - 5
    settings = BandMaskSettings(probability=1.0, bins=4, frames=5, blank="lowest")
    masked_ = BandMask(settings, sample_rate_hz=16_000).features(features, np.random.default_rng(2))
    changed = masked_ != features
    assert bool(changed.any())
    lowest = features.amin(dim=(2, 3), keepdim=True).expand_as(features)
    assert torch.equal(masked_[changed], lowest[changed])
