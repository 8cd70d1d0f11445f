"""Pastes bands of frequencies from another recording of the batch into some, chosen at random."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.augmentations.specmix import give_away, paste
from earlet_train.ranges import Count, Rate


@dataclass(frozen=True, kw_only=True)
class RandomSpecMixSettings:
    """With `probability` per clip, 1 to `most_bands` bands, each a share `gamma` of the bins.

    What the paper used for all three could not be found. 0.5 is ours; gamma and the number of
    bands are SpecMix's.
    """

    probability: Rate = 0.5
    gamma: Rate = 0.3
    most_bands: Count = 2


class RandomSpecMix(Augmentation):
    """A reconstruction from the abstract of Dong et al. (DADA 2023, arXiv 2306.15389).

    It says: cut and paste along the frequency dimension between samples of one batch, the samples
    chosen at random, no data from outside. Labels are mixed as SpecMix mixes them: by the share of
    bins that were replaced.
    """

    Settings = RandomSpecMixSettings

    def mix(
        self, features: Tensor, targets: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Features [B, C, F, N], targets [B, K] -> both, some with bins from another clip."""
        s = self.settings
        clips, _, bins, frames = features.shape
        partner = rng.permutation(clips)
        is_own = np.ones((clips, bins, frames), np.bool_)
        for picture in is_own:
            if rng.random() < s.probability:
                count = int(rng.integers(1, s.most_bands + 1))
                give_away(picture, count=count, share=s.gamma, rng=rng)
        return paste(features, targets, is_own=is_own, partner=partner)
