"""Blanks stripes of frequencies and stripes of time, so that no single one is relied upon."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.ranges import Count, Natural, Rate


@dataclass(frozen=True, kw_only=True)
class BandMaskSettings:
    """With `probability` per window, `count` stripes of each kind.

    Each is up to `bins` neighbouring bins or `frames` neighbouring frames wide, drawn evenly from
    0 on. `blank`: what stands there then, each channel's own `mean` in this window, its `lowest`
    value (so that DiffRes' guide loss sees it), or `zero`.
    As Dutta et al. (WASPAA 2021) train: `bins` 12, `frames` 39, one stripe each.
    """

    probability: Rate = 0.5
    bins: Natural = 24
    frames: Natural = 20
    count: Count = 1
    blank: Literal["mean", "lowest", "zero"] = "mean"


class BandMask(Augmentation):
    """After SpecAugment (Park et al., 2019, arXiv 1904.08779), without its time warping.

    The same cells are blank in every channel. `zero` is what SpecAugment does, to features of mean
    zero; in features that are not, it is as loud as anything. torchaudio has these masks too, but
    draws them from torch's global generator.
    """

    Settings = BandMaskSettings

    def features(self, features: Tensor, rng: np.random.Generator) -> Tensor:
        """Features [B, C, F, N] -> features [B, C, F, N]."""
        s = self.settings
        clips, _, bins, frames = features.shape
        is_blank = np.zeros((clips, bins, frames), np.bool_)
        for picture in is_blank:
            if rng.random() >= s.probability:
                continue
            for rows, most in ((picture, s.bins), (picture.T, s.frames)):
                for _ in range(s.count):
                    width = int(rng.integers(0, min(most, len(rows)) + 1))
                    start = int(rng.integers(0, len(rows) - width + 1))
                    rows[start : start + width] = True
        mask = torch.from_numpy(is_blank).to(features.device)[:, None]
        return torch.where(mask, self._blank(features), features)

    def _blank(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> what a blank cell holds, [B, C, 1, 1]."""
        if self.settings.blank == "mean":
            return features.mean(dim=(2, 3), keepdim=True)
        lowest = features.amin(dim=(2, 3), keepdim=True)
        return lowest if self.settings.blank == "lowest" else torch.zeros_like(lowest)
