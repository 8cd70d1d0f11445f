"""MFCC-ResNet: Spec-ResNet's sibling that reads 24 cepstral coefficients and their deltas.

The network itself stands in `residual`; this is its plan for pictures of 72 x 126:

    features                                   [B, 1, 72, 126]
    conv 3x3, 1 -> 32                          [B, 32, 72, 126]
    three residual blocks, max pool by three   [B, 32, 24, 42]
    three residual blocks, max pool by three   [B, 32, 8, 14]
    three residual blocks, batch norm, leaky ReLU, max pool by three
                                               [B, 32, 3, 5]
    flatten                                    [B, 480]
    dropout, 480 -> 128, leaky ReLU, 128 -> K  [B, K]

312,994 parameters, 512 of them unused without `preact`; 0.85 GMAC.
"""

from dataclasses import dataclass

from earlet_train.models.residual import Plan, ResidualNetwork, ResidualSettings
from earlet_train.ranges import Count


@dataclass(frozen=True, kw_only=True)
class MfccResNetSettings(ResidualSettings):
    """`pools`: the blocks, counted from 1, behind which a max pool thins the map by three."""

    blocks: Count = 9
    pools: tuple[Count, ...] = (3, 6, 9)

    def __post_init__(self) -> None:
        Plan(blocks=self.blocks, pools=self.pools)


class MfccResNet(ResidualNetwork):
    """Features [B, C, F, N] -> logits [B, K]. The flattened layer fixes F and N."""

    Settings = MfccResNetSettings

    def __init__(
        self, settings: MfccResNetSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        plan = Plan(blocks=settings.blocks, pools=settings.pools)
        super().__init__(settings, plan=plan, shape=shape, classes=classes)
