"""Spec-ResNet: the residual network that read spectrograms for team UCLANESL at ASVspoof 2019.

Alzantot, Wang, Srivastava, "Deep residual neural networks for audio spoofing detection",
Interspeech 2019 (arXiv 1907.00501), and the code published with it. Written from the description:

    features [B, 1, 1025, 126]
    conv 3x3, 1 -> 32                          [B, 32, 1025, 126]
    six residual blocks, each thins by three   [B, 32, 2, 1]
    batch norm, leaky ReLU, flatten            [B, 64]
    dropout, 64 -> 128, leaky ReLU, 128 -> K   [B, K]

176,130 parameters, 320 of them unused without `preact`. The published network ends in a
log-softmax; here that belongs to the loss: the difference of two log-probabilities is the
difference of their logits, so scores are the same.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from earlet_train.models.dropout import Dropout
from earlet_train.models.model import Model
from earlet_train.ranges import Count, Rate

SLOPE = 0.01
# In bfloat16 on a processor (torch 2.13) the weight gradient of a strided convolution is garbage,
# NaN included, on maps so small that some taps see only padding (seen at 13 x 2 and below; none at
# 39 x 6). Smaller maps than this are trained in float32; they are a hundredth of the work.
SMALLEST_BFLOAT16_MAP = 16


@dataclass(frozen=True, kw_only=True)
class SpecResNetSettings:
    """`preact`: batch norm and leaky ReLU before each block's first convolution (not the first's).

    The paper's figure shows them, but the published code overwrites their output, and the released
    weights prove that they never trained: so False is what was measured.

    `thin`: where a block thins by three: in its last convolution's `stride` (the code as it
    stands) or by a max `pool` after it (the code of February 2019): equal sizes, 2.4 times the
    work.
    """

    channels: Count = 32
    blocks: Count = 6
    hidden: Count = 128
    dropout: Rate = 0.5
    preact: bool = False
    thin: Literal["stride", "pool"] = "stride"


class SpecResNet(Model):
    """Features [B, 1, F, N] -> logits [B, K]. The flattened layer fixes F and N."""

    Settings = SpecResNetSettings

    def __init__(
        self, settings: SpecResNetSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        channels, bins, frames = shape
        width = settings.channels
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList()
        for i in range(settings.blocks):
            self.blocks.append(Block(settings, first=i == 0))
            bins, frames = (bins + 2) // 3, (frames + 2) // 3
        self.norm = nn.BatchNorm2d(width)
        self.activation = nn.LeakyReLU(SLOPE)
        self.dropout = Dropout(settings.dropout)
        self.hidden = nn.Linear(width * bins * frames, settings.hidden)
        self.output = nn.Linear(settings.hidden, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, 1, F, N] -> embedding [B, hidden]."""
        x = self.stem(features)
        for block in self.blocks:
            x = block(x)
        x = self.activation(self.norm(x)).flatten(1)
        embedding: Tensor = self.activation(self.hidden(self.dropout(x)))
        return embedding

    def why_not_streaming(self) -> str:
        """The flattened layer."""
        return (
            "its linear layer reads the flattened map, so every frame has its own weights; average "
            "over time before it (narrow-cnn does)"
        )


class Block(nn.Module):
    """[B, W, F, N] -> [B, W, ceil(F / 3), ceil(N / 3)]; the skip is a convolution too."""

    def __init__(self, settings: SpecResNetSettings, *, first: bool) -> None:
        super().__init__()
        width, stride = settings.channels, 3 if settings.thin == "stride" else 1
        self.preact = settings.preact and not first
        # Made even where it is not used, as in the published code: its 64 numbers per block are
        # part of the 176,130 and of every released file of weights.
        self.before: nn.Module = nn.Identity()
        if not first:
            self.before = nn.Sequential(nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE))
        self.main = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(SLOPE),
            Dropout(settings.dropout),
            nn.Conv2d(width, width, 3, stride=stride, padding=1),
        )
        self.skip = nn.Conv2d(width, width, 3, stride=stride, padding=1)
        self.pool: nn.Module = (
            nn.MaxPool2d(3, stride=3, padding=1) if settings.thin == "pool" else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, W, F', N']."""
        kind = x.device.type
        if torch.is_autocast_enabled(kind) and min(x.shape[2:]) < SMALLEST_BFLOAT16_MAP:
            with torch.autocast(kind, enabled=False):
                return self._thinned(x.float())
        return self._thinned(x)

    def _thinned(self, x: Tensor) -> Tensor:
        main = self.main(self.before(x) if self.preact else x)
        thinned: Tensor = self.pool(main + self.skip(x))
        return thinned
