"""Pastes bands of frequencies and of time from one recording into another, and mixes the labels."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.ranges import Natural, Rate


@dataclass(frozen=True, kw_only=True)
class SpecMixSettings:
    """With `probability` per clip, 0 to `most_bands` bands of each kind, drawn evenly.

    Each is a share `gamma` of the bins or frames wide (rounded down). 0.3 is the paper's gamma as
    one public implementation reports it; the other, for scene classification, runs with 0.7.
    """

    probability: Rate = 1.0
    gamma: Rate = 0.3
    most_bands: Natural = 2


class SpecMix(Augmentation):
    """Kim, Han, Ko, "SpecMix", Interspeech 2021, each clip with a partner from the same batch.

    Bands may overlap; what counts for the label is the share of cells that stayed. Two public
    implementations differ from this: one draws where a band of time begins from the number of
    bins; the other takes the cells that are not 0 for those that stayed, and writes to its input.
    """

    Settings = SpecMixSettings

    def mix(
        self, features: Tensor, targets: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Features [B, C, F, N], targets [B, K] -> both, with bands from another clip."""
        s = self.settings
        clips, _, bins, frames = features.shape
        partner = rng.permutation(clips)
        is_own = np.ones((clips, bins, frames), np.bool_)
        for picture in is_own:
            if rng.random() >= s.probability:
                continue
            for rows in (picture, picture.T):
                give_away(
                    rows, count=int(rng.integers(0, s.most_bands + 1)), share=s.gamma, rng=rng
                )
        return paste(features, targets, is_own=is_own, partner=partner)


def give_away(
    rows: NDArray[np.bool_], *, count: int, share: float, rng: np.random.Generator
) -> None:
    """Sets to False, in place, `count` bands of `rows` [R, ...], each floor(share * R) high."""
    height = int(share * len(rows))
    for _ in range(count):
        start = int(rng.integers(0, len(rows) - height + 1))
        rows[start : start + height] = False


def paste(
    features: Tensor, targets: Tensor, *, is_own: NDArray[np.bool_], partner: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Features [B, C, F, N], targets [B, K] -> both, the cells not `is_own` from the partner.

    `is_own` [B, F, N] holds for every channel; `partner` [B]. The share of own cells is the share
    of the own target, whatever the features hold.
    """
    own = torch.from_numpy(is_own).to(features.device)[:, None]
    others = torch.from_numpy(partner).to(features.device)
    share = torch.from_numpy(is_own.mean(axis=(1, 2))).to(targets)[:, None]
    return (
        torch.where(own, features, features[others]),
        torch.lerp(targets[others], targets, share),
    )
