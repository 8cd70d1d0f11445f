"""DiffRes: fewer frames where little happens, more where much does, and learned which is which.

Liu, Liu, Kong, Wang, Plumbley: Learning Temporal Resolution in Spectrogram for Audio
Classification (AAAI 2024, arXiv 2210.01719). A scorer weighs every frame of a log-mel; a warp
merges frames of little weight and leaves others alone; what comes out has t = T (1 - delta) frames
and tells by a third channel what it was made of.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from earlet_train.adapters.frame_scorer import FrameScorer
from earlet_train.adapters.reduction import Reduction, ReductionSettings
from earlet_train.adapters.warp import (
    loudest_dense,
    loudest_scattered,
    rescaled,
    warp_matrix,
)
from earlet_train.ranges import NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class DiffResSettings(ReductionSettings):
    """`learnable_encoding`: start from sines and cosines, then train them.

    `maximum`: how the channel of maxima is computed, all products (`dense`) or two per frame
    (`scatter`); the results are equal, `auto` takes the quicker one for the size.
    `guide_weight`: of the guide loss; 0 = none. `blank_margin`: a frame counts as blank if its mean
    power exceeds the quietest one's in the batch by less than this. The published 1e-6 knows no
    scale: with filters of unit area (`norm` "slaney") the pauses of clean speech are blank too.
    """

    learnable_encoding: bool = False
    maximum: Literal["auto", "dense", "scatter"] = "auto"
    guide_weight: NotNegative = 1.0
    blank_margin: Positive = 1e-6


class DiffRes(Reduction):
    """Log-mel [B, 1, F, T], natural log of power -> [B, 3, F, t]: mean, maximum, encoding.

    The first two are natural logs too. F is 128, 64 or 40. Not for decibels, which are 4.3 times
    larger and would be taken for far greater contrasts.
    """

    Settings = DiffResSettings
    smallest_power = 1e-12
    # e^80 is beyond any power of sound in [-1, 1] and far from float32's largest number.
    largest_ln = 80.0
    # F * t * T, about 100 frames: up to here the dense maximum, made of simpler operators, is as
    # quick in ONNX Runtime; at 5 million products it takes five times as long, and ten in training.
    most_products = 350_000

    def __init__(self, settings: DiffResSettings, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        self.settings = settings
        channels, bins, frames = shape
        if channels != 1:
            raise ValueError(
                f"found features of {channels} channels, expected the one of a log-mel "
                "spectrogram: take another frontend, or leave diffres out"
            )
        self.scorer = FrameScorer(bins)
        encoding = sinusoids(bins, frames)
        if settings.learnable_encoding:
            self.encoding = nn.Parameter(encoding)
        else:
            self.register_buffer("encoding", encoding, persistent=False)
        is_small = bins * frames * self.kept <= self.most_products
        auto = "dense" if is_small else "scatter"
        self.maximum = auto if settings.maximum == "auto" else settings.maximum

    def why_not_streaming(self) -> str:
        """The scores of a window share a fixed sum."""
        return (
            f"diffres deals {self.kept} frames out over its whole window of {self.shape[2]}, each "
            "in proportion to all: leave [adapter] out and take a longer hop_samples in [frontend]"
        )

    def forward(self, features: Tensor) -> Tensor:
        """Log-mel [B, 1, F, T] -> mean, maximum and encoding [B, 3, F, t]."""
        return self._warped(features, self.scores(features))

    def with_penalty(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel [B, 1, F, T] -> [B, 3, F, t] and the guide loss: blank frames shall weigh little.

        Of each clip the mean score of its blank frames, where it exceeds half of what a frame gets
        on average, (1 - delta) / 2; averaged over the batch. At least one frame is always blank:
        the quietest of the batch. So masks over time (SpecAugment) must lie before this adapter and
        fill with the lowest value that occurs.
        """
        scores = self.scores(features)
        is_blank = self.blank(features)
        mean = (scores * is_blank).sum(dim=1) / is_blank.sum(dim=1).clamp(min=1)
        counted = torch.where(mean > 0.5 * (1 - self.delta), mean, torch.zeros_like(mean))
        penalty = self.settings.guide_weight * counted.mean().float()
        return self._warped(features, scores), penalty

    def scores(self, features: Tensor) -> Tensor:
        """Log-mel [B, 1, F, T] -> rescaled scores [B, T] float64, each 0..1, their sum about t."""
        self.refuse_other(features)
        return rescaled(self.scorer(features[:, 0]).sigmoid(), slots=self.kept)

    def blank(self, features: Tensor) -> Tensor:
        """Log-mel [B, 1, F, T] -> [B, T], True where a frame is as quiet as the quietest."""
        power = features[:, 0].clamp(max=self.largest_ln).exp().mean(dim=1)
        return power < power.min() + self.settings.blank_margin

    @torch.no_grad()
    def activeness(self, features: Tensor) -> Tensor:
        """Log-mel [B, 1, F, T] -> [B]: the deviation of the scores over frames that are not blank.

        0: the resolution is the same everywhere.
        """
        scores, counts = self.scores(features), ~self.blank(features)
        number = counts.sum(dim=1, keepdim=True)
        mean = (scores * counts).sum(dim=1, keepdim=True) / number.clamp(min=1)
        squares = ((scores - mean).square() * counts).sum(dim=1)
        return (squares / (number[:, 0] - 1).clamp(min=1)).sqrt().float()

    def _warped(self, features: Tensor, scores: Tensor) -> Tensor:
        power = features[:, 0].clamp(max=self.largest_ln).exp()
        matrix = warp_matrix(scores, slots=self.kept)
        turned = matrix.transpose(1, 2)
        if self.maximum == "dense":
            loudest = loudest_dense(power, matrix)
        else:
            loudest = loudest_scattered(power, scores, slots=self.kept)
        # clamp, not "+ eps": the exporter deletes an addition of 1e-8 or less.
        mean = (power @ turned).clamp(min=self.smallest_power).log()
        maximum = (loudest / (1 - self.delta)).clamp(min=self.smallest_power).log()
        return torch.stack([mean, maximum, self.encoding @ turned], dim=1)

    encoding: Tensor


def sinusoids(bins: int, frames: int) -> Tensor:
    """-> [F, T]: row 2k the sine, row 2k + 1 the cosine of frame * 10000^(-2k / F)."""
    rates = torch.exp(torch.arange(0, bins, 2).double() * (-math.log(10_000) / bins))
    angles = rates[:, None] * torch.arange(frames).double()
    return torch.stack([angles.sin(), angles.cos()], dim=1).flatten(0, 1)[:bins].float()
