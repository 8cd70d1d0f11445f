"""The residual network of team UCLANESL, of which Spec-, MFCC- and CQCC-ResNet are three plans.

Alzantot, Wang, Srivastava, "Deep residual neural networks for audio spoofing detection",
Interspeech 2019 (arXiv 1907.00501), and the code published with it. Written from the description:

    features [B, C, F, N]
    conv 3x3, C -> W                           [B, W, F, N]
    residual blocks; at some of them the map is thinned by three both ways,
      by a stride inside the block or by a max pool behind it
    batch norm, leaky ReLU                     (a pool behind the last block waits for these)
    flatten, dropout, -> hidden, leaky ReLU    [B, hidden]
    hidden -> K                                [B, K]

The published network ends in a log-softmax; here that belongs to the loss: the difference of two
log-probabilities is the difference of their logits, so scores are the same.
"""

from dataclasses import dataclass

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
class ResidualSettings:
    """`channels`: of every layer; `hidden`: of the layer before the last.

    `preact`: batch norm and leaky ReLU before each block's first convolution (not the first's).
    The paper's figure shows them, but the published code overwrites their output, and the released
    weights prove that they never trained: so False is what was measured.
    """

    channels: Count = 32
    hidden: Count = 128
    dropout: Rate = 0.5
    preact: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many blocks; the step of each block's last convolution; after which (from 1) is a pool.

    Raises ValueError for pools behind blocks that are not there, or out of order.
    """

    blocks: int
    stride: int = 1
    pools: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if list(self.pools) != sorted(set(self.pools)) or not all(
            1 <= block <= self.blocks for block in self.pools
        ):
            raise ValueError(
                f"found pools after the blocks {list(self.pools)}; expected rising numbers from 1 "
                f"to {self.blocks}, the number of blocks"
            )


class ResidualNetwork(Model):
    """Features [B, C, F, N] -> logits [B, K]. The flattened layer fixes F and N."""

    def __init__(
        self,
        settings: ResidualSettings,
        *,
        plan: Plan,
        shape: tuple[int, int, int],
        classes: int,
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        channels, bins, frames = shape
        width = settings.channels
        self.preact = settings.preact
        self.pooled = plan.pools
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            Block(settings, stride=plan.stride, first=i == 0) for i in range(plan.blocks)
        )
        self.pool = nn.MaxPool2d(3, stride=3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.activation = nn.LeakyReLU(SLOPE)
        self.dropout = Dropout(settings.dropout)
        # Both ways of thinning leave the third part, rounded up.
        for _ in range(plan.blocks if plan.stride == 3 else len(plan.pools)):
            bins, frames = (bins + 2) // 3, (frames + 2) // 3
        self.hidden = nn.Linear(width * bins * frames, settings.hidden)
        self.output = nn.Linear(settings.hidden, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> embedding [B, hidden]."""
        x = self.stem(features)
        last = len(self.blocks)
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in self.pooled and number < last:
                x = self.pool(x)
        x = self.activation(self.norm(x))
        if last in self.pooled:
            x = self.pool(x)
        embedding: Tensor = self.activation(self.hidden(self.dropout(x.flatten(1))))
        return embedding

    def why_fixed_length(self) -> str:
        """The flattened layer."""
        return (
            "its linear layer reads the flattened map, so every frame has its own weights; average "
            "over time before it (narrow-cnn does)"
        )


class Block(nn.Module):
    """[B, W, F, N] -> [B, W, ceil(F / stride), ceil(N / stride)]; the skip is a convolution too."""

    def __init__(self, settings: ResidualSettings, *, stride: int, first: bool) -> None:
        super().__init__()
        width = settings.channels
        self.preact = settings.preact and not first
        # Made even where it is not used, as in the published code: its 64 numbers per block are
        # part of the published counts and of every released file of weights.
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

    def forward(self, x: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, W, F', N']."""
        kind = x.device.type
        if torch.is_autocast_enabled(kind) and min(x.shape[2:]) < SMALLEST_BFLOAT16_MAP:
            with torch.autocast(kind, enabled=False):
                return self._sum(x.float())
        return self._sum(x)

    def _sum(self, x: Tensor) -> Tensor:
        main: Tensor = self.main(self.before(x) if self.preact else x)
        skip: Tensor = self.skip(x)
        return main + skip
