"""Blanks a stripe of frequencies and a stripe of time, so that no single one is relied upon."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.ranges import Natural, Rate


@dataclass(frozen=True, kw_only=True)
class BandMaskSettings:
    """With `probability` per window, up to `bins` neighbouring bins and `frames` frames."""

    probability: Rate = 0.5
    bins: Natural = 24
    frames: Natural = 20


class BandMask(Augmentation):
    """After SpecAugment (Park et al., 2019, arXiv 1904.08779), without its time warping.

    Blank means the window's own mean, so the masked features keep their mean.
    """

    Settings = BandMaskSettings

    def features(self, features: Tensor, rng: np.random.Generator) -> Tensor:
        """Features [B, C, F, N] -> features [B, C, F, N]."""
        masked = features.clone()
        for picture in masked:
            if rng.random() >= self.settings.probability:
                continue
            blank = picture.mean()
            for axis, most in ((1, self.settings.bins), (2, self.settings.frames)):
                size = picture.shape[axis]
                width = int(rng.integers(0, min(most, size) + 1))
                start = int(rng.integers(0, size - width + 1))
                picture.narrow(axis, start, width).copy_(blank.expand(()))
        return masked
