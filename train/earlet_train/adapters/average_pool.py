"""Fewer frames by pooling neighbours: their mean, their mean plus maximum, or a learned mixture.

Slot i of t pools the frames floor(i * T / t) to ceil((i + 1) * T / t): torch's adaptive pooling,
whose windows differ in width and overlap by a frame where t does not divide T. That operator does
not exist in ONNX, so the mean is a product with a constant matrix and the maximum one over a
constant table of indices.
"""

import torch
from torch import Tensor, nn

from earlet_train.adapters.frame_scorer import ResidualBlock
from earlet_train.adapters.reduction import Reduction, ReductionSettings


class AveragePool(Reduction):
    """Features [B, C, F, T] -> features [B, C, F, t], the mean of each slot's frames.

    Source: the baseline AvgPool of DiffRes.
    """

    def __init__(self, settings: ReductionSettings, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        self.register_buffer("shares", slot_shares(shape[2], self.kept), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, F, T] -> features [B, C, F, t]."""
        self.refuse_other(features)
        return features @ self.shares

    shares: Tensor


class AverageMaxPool(AveragePool):
    """Features [B, C, F, T] -> features [B, C, F, t], mean plus maximum of each slot's frames.

    Source: the baseline AvgMaxPool of DiffRes (a sum, not halved).
    """

    def __init__(self, settings: ReductionSettings, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        members = slot_members(shape[2], self.kept)
        self.widest = members.shape[1]
        self.register_buffer("members", members.flatten(), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, F, T] -> features [B, C, F, t]."""
        average = super().forward(features)
        members = features.index_select(3, self.members)
        return average + members.reshape(*features.shape[:3], self.kept, self.widest).amax(dim=4)

    members: Tensor


class ConvAveragePool(AveragePool):
    """Features [B, 1, F, T] -> features [B, 1, F, t]: three residual blocks, a skip, the mean.

    Source: the baseline ConvAvgPool of DiffRes, there for F = 128 only.
    """

    def __init__(self, settings: ReductionSettings, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        channels, bins, _ = shape
        if channels != 1:
            raise ValueError(
                f"found features of {channels} channels, expected 1: the convolutions of "
                "conv-average-pool run over time and read the bins as their channels. Take "
                "another frontend, or average-pool"
            )
        self.blocks = nn.Sequential(*(ResidualBlock(bins, bins) for _ in range(3)))

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, 1, F, T] -> features [B, 1, F, t]."""
        self.refuse_other(features)
        return super().forward(features + self.blocks(features[:, 0])[:, None])


def slots(frames: int, kept: int) -> list[range]:
    """T, t -> the frames of each slot; see the module's docstring. -(-a // b) rounds up."""
    return [range(i * frames // kept, -(-(i + 1) * frames // kept)) for i in range(kept)]


def slot_shares(frames: int, kept: int) -> Tensor:
    """T, t -> matrix [T, t]: what each frame contributes to each slot; columns sum to 1."""
    shares = torch.zeros(frames, kept)
    for i, members in enumerate(slots(frames, kept)):
        shares[members.start : members.stop, i] = 1 / len(members)
    return shares


def slot_members(frames: int, kept: int) -> Tensor:
    """T, t -> indices [t, widest], int64: the frames of each slot, the last one repeated."""
    widest = max(map(len, slots(frames, kept)))
    return torch.tensor(
        [[min(s.start + k, s.stop - 1) for k in range(widest)] for s in slots(frames, kept)]
    )
