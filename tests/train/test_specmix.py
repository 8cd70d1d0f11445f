"""SpecMix and random SpecMix: where the bands lie, how wide they are, whom they come from."""

import numpy as np
import pytest
import torch

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.augmentations.random_specmix import RandomSpecMix, RandomSpecMixSettings
from earlet_train.augmentations.specmix import SpecMix, SpecMixSettings

CLIPS, BINS, FRAMES = 200, 20, 70


def sources(augmentation: Augmentation, *, seed: int = 0) -> torch.Tensor:
    """-> [B, F, N], from which clip of the batch each cell comes."""
    features = torch.arange(CLIPS).float()[:, None, None, None].expand(-1, 2, BINS, FRAMES)
    targets = torch.zeros(CLIPS, 1)
    mixed, _ = augmentation.mix(features, targets, np.random.default_rng(seed))
    assert torch.equal(mixed[:, 0], mixed[:, 1])
    return mixed[:, 0].int()


def foreign(augmentation: Augmentation) -> torch.Tensor:
    """-> bool [B, F, N], True where a cell is not the clip's own."""
    return sources(augmentation) != torch.arange(CLIPS)[:, None, None]


@pytest.fixture
def specmix() -> SpecMix:
    return SpecMix(SpecMixSettings(), sample_rate_hz=16_000)


@pytest.fixture
def random_specmix() -> RandomSpecMix:
    return RandomSpecMix(RandomSpecMixSettings(), sample_rate_hz=16_000)


def test_every_clip_has_at_most_one_partner(
    specmix: SpecMix, random_specmix: RandomSpecMix
) -> None:
    for augmentation in (specmix, random_specmix):
        for clip, cells in enumerate(sources(augmentation)):
            assert len(set(cells.unique().tolist()) - {clip}) <= 1


def test_bands_are_a_share_gamma_wide_and_there_are_up_to_two_of_each_kind(
    specmix: SpecMix,
) -> None:
    is_foreign = foreign(specmix)
    bins = is_foreign.all(dim=2).sum(dim=1)
    frames = is_foreign.all(dim=1).sum(dim=1)
    only_bins = bins[(frames == 0) & (bins > 0)]
    only_frames = frames[(bins == 0) & (frames > 0)]
    assert int(only_bins.min()) == 6  # 0.3 of 20, one band or two on each other
    assert int(only_bins.max()) == 12
    assert int(only_frames.min()) == 21
    assert int(only_frames.max()) == 42


def test_bands_of_time_begin_anywhere_in_time(specmix: SpecMix) -> None:
    """A public implementation draws their start from the number of bins: the end stays clean."""
    taken = foreign(specmix).all(dim=1).any(dim=0)
    assert bool(taken.all())


def test_a_clip_without_bands_stays_itself(specmix: SpecMix) -> None:
    untouched = ~foreign(specmix).flatten(1).any(dim=1)
    # No band of either kind: 1/3 * 1/3 of the clips.
    assert int(untouched.sum()) == pytest.approx(CLIPS / 9, abs=15)


def test_true_zeros_are_not_taken_for_another_clips_cells(specmix: SpecMix) -> None:
    """A public implementation counts the cells that are not 0 to find the share."""
    features, targets = torch.zeros(CLIPS, 1, BINS, FRAMES), torch.eye(CLIPS)
    _, labels = specmix.mix(features, targets, np.random.default_rng(0))
    is_own = ~foreign(specmix)
    torch.testing.assert_close(labels.diagonal(), is_own.float().mean(dim=(1, 2)))


def test_random_specmix_replaces_whole_bins_in_about_half_of_the_clips(
    random_specmix: RandomSpecMix,
) -> None:
    is_foreign = foreign(random_specmix)
    assert torch.equal(is_foreign.any(dim=2), is_foreign.all(dim=2))
    rows = is_foreign.all(dim=2).sum(dim=1)
    assert int((rows > 0).sum()) == pytest.approx(CLIPS / 2, abs=25)
    assert int(rows[rows > 0].min()) == 6
    assert int(rows.max()) == 12


def test_random_specmix_labels_by_the_share_of_replaced_bins(
    random_specmix: RandomSpecMix,
) -> None:
    features = torch.arange(CLIPS).float()[:, None, None, None].expand(-1, 1, BINS, FRAMES)
    mixed, labels = random_specmix.mix(features, torch.eye(CLIPS), np.random.default_rng(3))
    replaced = (mixed[:, 0, :, 0] != torch.arange(CLIPS)[:, None]).sum(dim=1)
    torch.testing.assert_close(labels.diagonal(), 1 - replaced / BINS)
