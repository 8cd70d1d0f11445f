"""CQCC-ResNet: Spec-ResNet's sibling that reads 30 constant-Q cepstra and their deltas.

The network itself stands in `residual`; this is its plan for pictures of 90 x 469:

    features                                   [B, 1, 90, 469]
    conv 3x3, 1 -> 32                          [B, 32, 90, 469]
    two residual blocks, max pool by three     [B, 32, 30, 157]
    one residual block, max pool by three      [B, 32, 10, 53]
    one residual block, max pool by three      [B, 32, 4, 18]
    one residual block, max pool by three      [B, 32, 2, 6]
    one residual block, batch norm, leaky ReLU, max pool by three
                                               [B, 32, 1, 2]
    flatten                                    [B, 64]
    dropout, 64 -> 128, leaky ReLU, 128 -> K   [B, K]

176,130 parameters, 320 of them unused without `preact`; 2.5 GMAC. These are the plan and the sizes
of the published code (its flattened layer has 64 inputs, which any N of 244 to 486 gives). The one
released file of weights was trained with a layer of 512 inputs, so with other pools, which nothing
public describes: it cannot be loaded.
"""

from dataclasses import dataclass

from earlet_train.models.residual import Plan, ResidualNetwork, ResidualSettings
from earlet_train.ranges import Count


@dataclass(frozen=True, kw_only=True)
class CqccResNetSettings(ResidualSettings):
    """`pools`: the blocks, counted from 1, behind which a max pool thins the map by three."""

    blocks: Count = 6
    pools: tuple[Count, ...] = (2, 3, 4, 5, 6)

    def __post_init__(self) -> None:
        Plan(blocks=self.blocks, pools=self.pools)


class CqccResNet(ResidualNetwork):
    """Features [B, C, F, N] -> logits [B, K]. The flattened layer fixes F and N."""

    Settings = CqccResNetSettings

    def __init__(
        self, settings: CqccResNetSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        plan = Plan(blocks=settings.blocks, pools=settings.pools)
        super().__init__(settings, plan=plan, shape=shape, classes=classes)
