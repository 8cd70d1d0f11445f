"""FCN: the convolutional classifier behind multi-head relevance weighting.

Hu et al.'s network for acoustic scenes (DCASE 2020), as Dutta, Agrawal, Ganapathy use it in "A
multi-head relevance weighting framework for learning raw waveform audio representations", WASPAA
2021 (arXiv 2107.14793). Written from the description, at the published width of 144:

    features [B, 3, 80, 423] (log-mel or learned bands, their first and second differences)
    batch norm, 5x5 stride 2, 3x3, max 2x2     [B, 144, 20, 106]
    two 3x3, max 2x2                           [B, 288, 10, 53]
    four 3x3, max 2x2                          [B, 576, 5, 26]
    1x1, batch norm, ReLU, batch norm          [B, K, 5, 26]   one map per label
    channel attention, mean                    [B, K]

11,780,329 parameters with K = 10, and 9.6 billion multiplications per clip of 80 x 423.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from earlet_train.models.model import Model
from earlet_train.ranges import Count, Rate


@dataclass(frozen=True, kw_only=True)
class FcnSettings:
    """`width`: channels of the first third; the others have twice and four times as many."""

    width: Count = 144
    dropout: Rate = 0.3


class Fcn(Model):
    """Features [B, C, F, N] -> logits [B, K]; F and N are free from 15 on.

    The embedding is already one number per label, the mean of its map: `output` has nothing to do.
    So the layers that make the logits are `maps` and `attention`: a recipe should keep them in
    float (`[export] exclude`), where they cost a thousandth of the work.
    """

    Settings = FcnSettings

    def __init__(self, settings: FcnSettings, *, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        channels, bins, frames = shape
        if min(bins, frames) < SMALLEST:
            raise ValueError(
                f"found features of {bins} bins x {frames} frames, expected {SMALLEST} or more of "
                "each, for they are halved four times; take more bands or a longer window"
            )
        one, two, four = settings.width, 2 * settings.width, 4 * settings.width
        # Not foldable into the convolution behind it, whose padding does not know it.
        self.norm = nn.BatchNorm2d(channels)
        self.body = nn.Sequential(
            *convolution(channels, one, kernel=5, stride=2),
            *convolution(one, one),
            nn.MaxPool2d(2),
            *convolution(one, two),
            *convolution(two, two),
            nn.MaxPool2d(2),
            *convolution(two, four),
            nn.Dropout(settings.dropout),
            *convolution(four, four),
            nn.Dropout(settings.dropout),
            *convolution(four, four),
            nn.Dropout(settings.dropout),
            *convolution(four, four),
            nn.MaxPool2d(2),
        )
        self.maps = nn.Sequential(
            nn.Conv2d(four, classes, 1, bias=False),
            nn.BatchNorm2d(classes, affine=False),
            nn.ReLU(),
            nn.BatchNorm2d(classes, affine=False),
        )
        self.attention = ChannelAttention(classes)
        self.output: nn.Module = nn.Identity()

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> embedding [B, K], the mean of each label's map."""
        maps = self.maps(self.body(self.norm(features)))
        embedding: Tensor = self.attention(maps).mean(dim=(2, 3))
        return embedding


SMALLEST = 15


class ChannelAttention(nn.Module):
    """Maps [B, K, F, N] -> maps, each times a weight in 0..1 made from all maps' mean and maximum.

    The same two layers K -> K/2 -> K read both; as published, only the mean gets a ReLU between
    them.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        hidden = max(classes // 2, 1)
        self.squeeze = nn.Linear(classes, hidden)
        self.excite = nn.Linear(hidden, classes)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, K, F, N] -> [B, K, F, N]."""
        mean, maximum = maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))
        hidden = torch.relu(self.squeeze(mean)) + self.squeeze(maximum)
        # The second layer of the sum is the sum of the second layers, each with its bias.
        weights = F.linear(hidden, self.excite.weight, 2 * self.excite.bias)
        return maps * torch.sigmoid(weights)[:, :, None, None]


def convolution(width: int, wider: int, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    """Convolution, batch norm, ReLU: in this order the norm folds into the convolution."""
    return [
        nn.Conv2d(width, wider, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(wider),
        nn.ReLU(),
    ]
