"""Lays two recordings over each other, and their labels with them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.ranges import Positive


@dataclass(frozen=True, kw_only=True)
class MixupSettings:
    """Shares drawn from Beta(`alpha`, `alpha`): one share `per` batch, or one per clip.

    0.4 and per batch is what Dutta et al. (WASPAA 2021, arXiv 2107.14793) train with.
    """

    alpha: Positive = 0.4
    per: Literal["batch", "clip"] = "batch"


class Mixup(Augmentation):
    """Zhang et al. (ICLR 2018, arXiv 1710.09412), on features, with a permuted batch as partners.

    In log features the mean of two clips is not what the two would sound like together.
    """

    Settings = MixupSettings

    def mix(
        self, features: Tensor, targets: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Features [B, C, F, N], targets [B, K] -> both: share * own + (1 - share) * partner's."""
        s, clips = self.settings, len(features)
        partner = torch.from_numpy(rng.permutation(clips)).to(features.device)
        drawn = rng.beta(s.alpha, s.alpha, size=1 if s.per == "batch" else clips)
        share = torch.from_numpy(np.resize(drawn, clips)).to(features)
        return (
            torch.lerp(features[partner], features, share[:, None, None, None]),
            torch.lerp(targets[partner], targets, share.to(targets)[:, None]),
        )
