"""Relevance weighting in several heads: a mask, learned, for each group of neighbouring bands.

Dutta, Agrawal, Ganapathy: A Multi-Head Relevance Weighting Framework for Learning Raw Waveform
Audio Representations (WASPAA 2021, arXiv 2107.14793). Each head has a small network of its own
that looks at one band over a short time, the same for all bands of the head. The two tasks of the
paper have different ones:

`asc` (acoustic scenes): 21 frames -> 50 -> 1, a mask between 0 and 1 for every band and frame; each
head then stretched to 0..1, with slopes and slopes of slopes as two more channels.

    [B, 1, F, N] -> x + x * mask -> [B, 3, F, N - 8]

`usc` (urban sounds): 51 frames -> 10 -> 1, a softmax over the bands of the head, one weight per
band for each patch of 51 frames; then each band to mean 0 and spread 1.

    [B, 1, F, N] -> x + x * weight -> [B, 1, F, N]

(The paper describes the mask for both. For `usc` this follows its public code.)
"""

from dataclasses import dataclass
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earlet_train.adapters.adapter import Adapter
from earlet_train.frontends.deltas import valid_regression, with_slopes
from earlet_train.ranges import Natural


@dataclass(frozen=True, kw_only=True)
class RelevanceSettings:
    """`heads`: 0 = no weighting, only what comes behind it, for comparison.

    `split`: which bands a head gets, neighbours or (two heads) every other one; the heads' bands
    come out one head after the other. `context`: frames to either side; left out, the published
    10 of `asc` or 25 of `usc`. `skip`: add the features to the weighted features.
    """

    heads: Natural = 2
    form: Literal["asc", "usc"] = "asc"
    split: Literal["contiguous", "even-odd"] = "contiguous"
    context: Natural | None = None
    skip: bool = True

    def __post_init__(self) -> None:
        if self.split == "even-odd" and self.heads != 2:
            raise ValueError(
                f"split = 'even-odd' makes two heads, found heads = {self.heads}: set heads to 2, "
                "or split to 'contiguous'"
            )

    @property
    def reach(self) -> int:
        """Frames to either side."""
        if self.context is not None:
            return self.context
        return 10 if self.form == "asc" else 25


class Relevance(Adapter):
    """Features [B, 1, F, N] -> [B, 3, F, N - 8] (`asc`) or [B, 1, F, N] (`usc`).

    Two heads of `asc` have 2,302 parameters. Where F is no multiple of the heads, the first heads
    have one band more.
    """

    Settings = RelevanceSettings

    def __init__(self, settings: RelevanceSettings, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        self.settings = settings
        channels, bands, frames = shape
        if channels != 1:
            raise ValueError(
                f"found features of {channels} channels, expected 1: relevance weighs the bands of "
                "one spectrogram. Take another frontend, or leave it out"
            )
        if settings.heads > bands:
            raise ValueError(
                f"found {bands} bands for {settings.heads} heads, expected at least one each: set "
                f"heads to {bands} or less"
            )
        if settings.form == "asc" and frames < 9:
            raise ValueError(
                f"found {frames} frames, expected at least 9, which slopes of slopes are made "
                "from: make the window longer"
            )
        groups = max(settings.heads, 1)
        self.sizes = [bands // groups + (i < bands % groups) for i in range(groups)]
        kind = Mask if settings.form == "asc" else BandWeights
        self.heads = nn.ModuleList(kind(settings.reach) for _ in range(settings.heads))

    def why_not_streaming(self) -> str:
        """What is measured over the whole clip."""
        measured = (
            "the smallest and the largest value of each head"
            if self.settings.form == "asc"
            else "the mean and the spread of each band"
        )
        return (
            f"relevance scales by {measured}, known only when the clip has ended (and looks up to "
            f"{self.settings.reach} frames ahead): leave [adapter] out"
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, 1, F, N] -> [B, 3, F, N - 8] or [B, 1, F, N]."""
        groups = [self._weighted(i, group) for i, group in enumerate(self._split(features))]
        if self.settings.form == "asc":
            stretched = torch.cat([stretch(group) for group in groups], dim=2)
            stacked = with_slopes(stretched[:, 0], valid_regression)
            return torch.stack(stacked.chunk(3, dim=1), dim=1)
        if self.settings.form == "usc":
            return standardised(torch.cat(groups, dim=2))
        assert_never(self.settings.form)

    def _split(self, features: Tensor) -> list[Tensor]:
        """Features [B, 1, F, N] -> one [B, 1, F', N] per head."""
        if self.settings.split == "even-odd":
            return [features[:, :, 0::2], features[:, :, 1::2]]
        return list(torch.split(features, self.sizes, dim=2))

    def _weighted(self, index: int, group: Tensor) -> Tensor:
        if not self.settings.heads:
            return group
        weighted: Tensor = group * self.heads[index](group)
        return weighted + group if self.settings.skip else weighted


class Mask(nn.Module):
    """[B, 1, F, N] -> mask [B, 1, F, N] in 0..1 from 2 * reach + 1 frames of one band.

    Beyond the ends lie zeros. The two linear layers, slid over the bands and over time, are two
    convolutions: 1,151 parameters at reach 10.
    """

    def __init__(self, reach: int, *, hidden: int = 50) -> None:
        super().__init__()
        self.context = nn.Conv2d(1, hidden, (1, 2 * reach + 1), padding=(0, reach))
        self.merge = nn.Conv2d(hidden, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, F, N] -> [B, 1, F, N]."""
        mask: Tensor = self.merge(self.context(x).sigmoid())
        return mask.sigmoid()


class BandWeights(nn.Module):
    """[B, 1, F, N] -> weights [B, 1, F, N] that sum to 1 over F and change every 2 * reach + 1.

    Published for windows of exactly one patch of 51 frames. A longer window is cut into patches,
    the last one filled up with zeros.
    """

    def __init__(self, reach: int, *, hidden: int = 10) -> None:
        super().__init__()
        self.patch = 2 * reach + 1
        self.context = nn.Linear(self.patch, hidden)
        self.merge = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, F, N] -> [B, 1, F, N]."""
        frames = x.shape[3]
        # Not -(-a // b): of numbers below 0, which an open length makes of it, ONNX rounds up.
        patches = (frames + self.patch - 1) // self.patch
        x = F.pad(x, (0, patches * self.patch - frames))
        x = x.reshape(*x.shape[:3], patches, self.patch)
        weights: Tensor = self.merge(self.context(x).sigmoid()).softmax(dim=2)
        return weights.expand(x.shape).flatten(3)[..., :frames]


def stretch(x: Tensor) -> Tensor:
    """[B, 1, F, N] -> the same between 0 and 1 in each clip; a clip of one value becomes 0."""
    low, high = x.amin(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
    return (x - low) / (high - low).clamp(min=1e-6)


def standardised(x: Tensor) -> Tensor:
    """[B, 1, F, N] -> mean 0 and variance 1 over time, each band of each clip (instance norm)."""
    x = x - x.mean(dim=3, keepdim=True)
    return x / (x.square().mean(dim=3, keepdim=True) + 1e-5).sqrt()
