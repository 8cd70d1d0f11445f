"""Spec-ResNet: the residual network that read spectrograms for team UCLANESL at ASVspoof 2019.

The network itself stands in `residual`; this is its plan for pictures of 1025 x 126:

    features                                   [B, 1, 1025, 126]
    conv 3x3, 1 -> 32                          [B, 32, 1025, 126]
    six residual blocks, each thins by three   [B, 32, 2, 1]
    batch norm, leaky ReLU, flatten            [B, 64]
    dropout, 64 -> 128, leaky ReLU, 128 -> K   [B, K]

176,130 parameters, 320 of them unused without `preact`.
"""

from dataclasses import dataclass
from typing import Literal

from earlet_train.models.residual import Plan, ResidualNetwork, ResidualSettings
from earlet_train.ranges import Count


@dataclass(frozen=True, kw_only=True)
class SpecResNetSettings(ResidualSettings):
    """`thin`: where a block thins by three: in its last convolution's `stride` (the published code
    as it stands), or by a max `pool` behind it (the code of February 2019; behind the last block
    the pool follows the batch norm): equal sizes, 2.4 times the work.
    """

    blocks: Count = 6
    thin: Literal["stride", "pool"] = "stride"


class SpecResNet(ResidualNetwork):
    """Features [B, C, F, N] -> logits [B, K]. The flattened layer fixes F and N."""

    Settings = SpecResNetSettings

    def __init__(
        self, settings: SpecResNetSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        strided = Plan(blocks=settings.blocks, stride=3)
        pooled = Plan(blocks=settings.blocks, pools=tuple(range(1, settings.blocks + 1)))
        plan = strided if settings.thin == "stride" else pooled
        super().__init__(settings, plan=plan, shape=shape, classes=classes)
