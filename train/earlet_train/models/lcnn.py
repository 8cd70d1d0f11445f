"""LCNN with LSTMs: the light network that reads LFCCs in the baseline of ASVspoof 2021.

Wang, Yamagishi, "A comparative study on recent neural spoofing countermeasures for synthetic speech
detection", Interspeech 2021 (arXiv 2103.11326), and the baseline published with the challenge.
Written from the description. "MFM", max feature map, keeps of two halves of the channels the larger
value; it stands where others have a ReLU. Norms have no weights of their own.

    features                                       [B, 1, 60, N]
    conv 5x5 -> 64, MFM, max pool                  [B, 32, 30, N/2]
    conv 1x1 -> 64, MFM, norm                      [B, 32, 30, N/2]
    conv 3x3 -> 96, MFM, max pool, norm            [B, 48, 15, N/4]
    conv 1x1 -> 96, MFM, norm                      [B, 48, 15, N/4]
    conv 3x3 -> 128, MFM, max pool                 [B, 64, 7, N/8]
    conv 1x1 -> 128, MFM, norm                     [B, 64, 7, N/8]
    conv 3x3 -> 64, MFM, norm                      [B, 32, 7, N/8]
    conv 1x1 -> 64, MFM, norm                      [B, 32, 7, N/8]
    conv 3x3 -> 64, MFM, max pool, dropout         [B, 32, 3, N/16]
    channels and bins together, per frame          [B, N/16, 96]
    two LSTMs both ways, 96 -> 2 x 48, and a skip  [B, N/16, 96]
    mean over time                                 [B, 96]
    linear                                         [B, K]

269,729 parameters with one output, as published. The published one is the log-odds that a sigmoid
reads; two labels have an output each, 97 more: 269,826. Their difference is the same log-odds.
The published code lays time first; here the kernels lie the other way round.

With `time_edges = "valid"` and no LSTM (not published) nothing is invented beyond a window's ends:
every moment of the last map is the same in every window that holds it, so that a stream computes it
once. 402 frames become 398, 199, 197, 98, 96, 48, 46 and 44, then 22 if the last pool halves time.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from earlet_train.models.model import Model
from earlet_train.ranges import Natural, Rate


@dataclass(frozen=True, kw_only=True)
class LcnnSettings:
    """`lstms`: 0 leaves the convolutions and the mean, which int8 runs whole and which can stream.

    `dropout`: behind the convolutions. `time_edges`: what convolutions see beyond a window's ends,
    zeros or nothing. `last_pool`: halves both axes (published), or the frequencies alone, whereby a
    stream may answer after every 8 frames, not 16; no convolution follows, so it costs nothing.
    """

    lstms: Natural = 2
    dropout: Rate = 0.7
    time_edges: Literal["zeros", "valid"] = "zeros"
    last_pool: Literal["both", "frequency"] = "both"


class Lcnn(Model):
    """Features [B, C, F, N] -> logits [B, K]; F is fixed, N is free (16 or more)."""

    Settings = LcnnSettings

    def __init__(
        self, settings: LcnnSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        channels, bins, frames = shape
        if min(bins, frames) < 16:
            raise ValueError(
                f"found features of {bins} x {frames}, expected at least 16 x 16, which four pools "
                "halve to one: use more bins, or a longer window"
            )
        edge = 1 if settings.time_edges == "zeros" else 0
        self.body = nn.Sequential(
            nn.Conv2d(channels, 64, 5, padding=(2, 2 * edge)),
            MaxFeatureMap(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 1),
            MaxFeatureMap(),
            norm(32),
            nn.Conv2d(32, 96, 3, padding=(1, edge)),
            MaxFeatureMap(),
            nn.MaxPool2d(2),
            norm(48),
            nn.Conv2d(48, 96, 1),
            MaxFeatureMap(),
            norm(48),
            nn.Conv2d(48, 128, 3, padding=(1, edge)),
            MaxFeatureMap(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 1),
            MaxFeatureMap(),
            norm(64),
            nn.Conv2d(64, 64, 3, padding=(1, edge)),
            MaxFeatureMap(),
            norm(32),
            nn.Conv2d(32, 64, 1),
            MaxFeatureMap(),
            norm(32),
            nn.Conv2d(32, 64, 3, padding=(1, edge)),
            MaxFeatureMap(),
            nn.MaxPool2d(2 if settings.last_pool == "both" else (2, 1)),
            nn.Dropout(settings.dropout),
        )
        if frames_left(self.body, frames) < 1:
            raise ValueError(
                f"found {frames} frames, of which convolutions without padding leave none: use a "
                'longer window, a shorter hop, or time_edges = "zeros"'
            )
        width = 32 * (bins // 16)
        self.lstms = nn.ModuleList(
            nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
            for _ in range(settings.lstms)
        )
        self.output = nn.Linear(width, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> embedding [B, E], the mean over time."""
        frames = self.body(features).permute(0, 3, 1, 2).flatten(2)
        x = frames
        for lstm in self.lstms:
            x, _ = lstm(x)
        if self.lstms:
            x = x + frames
        embedding: Tensor = x.mean(dim=1)
        return embedding


class MaxFeatureMap(nn.Module):
    """[B, 2 W, F, N] -> [B, W, F, N], of channels i and W + i the larger value."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, 2 W, F, N] -> [B, W, F, N]."""
        one, other = x.chunk(2, dim=1)
        return torch.maximum(one, other)


def frames_left(body: nn.Sequential, frames: int) -> int:
    """Of so many frames; what goes along time is convolutions and pools."""
    for part in body:
        if isinstance(part, nn.Conv2d):
            frames += 2 * int(part.padding[1]) - (part.kernel_size[1] - 1)
        elif isinstance(part, nn.MaxPool2d):
            size = part.kernel_size
            frames //= size if isinstance(size, int) else size[1]
    return frames


def norm(width: int) -> nn.Module:
    """Batch norm without weights: the next convolution has them."""
    return nn.BatchNorm2d(width, affine=False)
