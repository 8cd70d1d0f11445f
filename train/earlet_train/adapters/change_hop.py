"""The plainest way to fewer frames: take every so manieth, as a longer hop would."""

import torch
from torch import Tensor

from earlet_train.adapters.reduction import Reduction, ReductionSettings


class ChangeHop(Reduction):
    """Features [B, C, F, T] -> features [B, C, F, t]: t frames, equally spread, the rest dropped.

    The first and the last frame are always taken. Source: the baseline ChangeHopSize of DiffRes.
    """

    def __init__(self, settings: ReductionSettings, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        self.register_buffer("taken", taken_frames(shape[2], self.kept), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, F, T] -> features [B, C, F, t]."""
        self.refuse_other(features)
        return features.index_select(3, self.taken)

    taken: Tensor


def taken_frames(frames: int, kept: int) -> Tensor:
    """T, t -> indices [t], int64: floor(i * (T - 1) / (t - 1)), in integers so that none slips."""
    steps = max(kept - 1, 1)
    return torch.tensor([i * (frames - 1) // steps for i in range(kept)])
