"""CLSTM: a convolution and two LSTMs, the small classifier behind relevance weighting.

Dutta, Agrawal, Ganapathy, "A multi-head relevance weighting framework for learning raw waveform
audio representations", WASPAA 2021 (arXiv 2107.14793), for urban sounds. Written from the
description; the relevance weighting itself is an adapter, before the seam:

    features [B, 1, 80, 51]
    batch norm, instance norm                  [B, 1, 80, 51]   each band: mean 0, variance 1
    5x5, batch norm, max over 3 bands          [B, 40, 25, 47]
    two LSTMs over time                        [B, 47, 256]
    last step, linear                          [B, K]

1,818,220 parameters with K = 10. The paper's table says 1.18 million, which nothing in its text
explains (1000 -> 256 twice alone is 1.81 million). Two more readings: the instance norm of 80 takes
each band of a clip over its frames, without weights; the pool is over frequency, which alone makes
the 1000 inputs of the LSTM: 40 channels x (80 - 4) / 3 bands. The paper classifies patches of 51
frames; here the window decides.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from earlet_train.models.model import Model
from earlet_train.ranges import Count, Rate

KERNEL, POOL = 5, 3
# As in torch's norms.
EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class ClstmSettings:
    """`channels`: of the convolution; `hidden`: of each LSTM; `dropout`: between the LSTMs."""

    channels: Count = 40
    hidden: Count = 256
    layers: Count = 2
    dropout: Rate = 0.25


class Clstm(Model):
    """Features [B, 1, F, N] -> logits [B, K]; F is fixed, N is free from 5 on."""

    Settings = ClstmSettings

    def __init__(
        self, settings: ClstmSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        channels, bins, frames = shape
        left = (bins - KERNEL + 1) // POOL
        if channels != 1 or left < 1 or frames < KERNEL:
            raise ValueError(
                f"found features of {channels} channels x {bins} bins x {frames} frames, expected "
                f"1 x {KERNEL + POOL - 1} or more x {KERNEL} or more; take a frontend with one "
                "channel, more bands or a longer window"
            )
        self.norm = nn.BatchNorm2d(1)
        self.bands = BandNorm()
        self.convolution = nn.Sequential(
            nn.Conv2d(1, settings.channels, KERNEL),
            nn.BatchNorm2d(settings.channels),
            nn.MaxPool2d((POOL, 1)),
        )
        self.lstm = nn.LSTM(
            settings.channels * left,
            settings.hidden,
            num_layers=settings.layers,
            dropout=settings.dropout if settings.layers > 1 else 0.0,
            batch_first=True,
        )
        self.output = nn.Linear(settings.hidden, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, 1, F, N] -> embedding [B, hidden], the second LSTM's last step."""
        x = self.convolution(self.bands(self.norm(features))).permute(0, 3, 1, 2).flatten(2)
        steps: Tensor = self.lstm(x)[0]
        return steps[:, -1]


class BandNorm(nn.Module):
    """[..., F, N] -> the same with mean 0 and variance 1 over N: an instance norm without weights.

    Written out, because of bands that do not change, as in digital silence: what rounding leaves of
    them after one mean, the division makes 300 times larger, differently in each runtime. A second
    mean takes that away.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[..., F, N] -> [..., F, N]."""
        centred = x - x.mean(dim=-1, keepdim=True)
        centred = centred - centred.mean(dim=-1, keepdim=True)
        variance = (centred * centred).mean(dim=-1, keepdim=True)
        return centred / torch.sqrt(variance + EPSILON)
