"""Res2Net for spoofing detection: residual blocks whose channel groups look ever further.

Li, Li, Lu, Tian, Liu, Meng, "Replay and synthetic speech detection with Res2Net architecture",
ICASSP 2021 (arXiv 2010.15006), with its squeeze-and-excitation variant, and, through `fusion`, a
reconstruction of MPIF-Res2Net (`earlet_train.models.fusion`). Written from the descriptions:

    features [B, C, F, N]
    stem: three 3x3                      [B,  16, F, N]
    stage 1, 3 blocks                    [B,  32, F, N]
    stage 2, 4 blocks, halves            [B,  64, F/2, N/2]
    stage 3, 6 blocks, halves            [B, 128, F/4, N/4]
    stage 4, 3 blocks, halves            [B, 256, F/8, N/8]
    mean over frequency and time         [B, 256]
    linear, or by angles                 [B, K]

With two labels and one input channel 883,806 parameters, with `se = 16` 923,102, as published.
The base of MPIF-Res2Net is blocks (2, 2, 2, 2), scale 8: 1,003,884, and 1,114,896 with
`fusion = "views"`; that base is published with `head = "angular"` (two biases fewer).

With `time_edges = "valid"` (not published) nothing is invented beyond a window's ends: every moment
is the same in every window that holds it, so that a stream computes it once. A 3x3 then takes a
frame off either end; in a block the groups take one more each, and all that is joined is cut to the
moments that the last one has.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from earlet_train.models.angular import AngularLinear
from earlet_train.models.fusion import NOTES, ChannelView, Fusion, fusion
from earlet_train.models.model import Model, refuse_smaller
from earlet_train.ranges import Count, Natural

EXPANSION = 2


@dataclass(frozen=True, kw_only=True)
class Res2NetSettings:
    """`blocks`, `channels`: of each stage; a stage gives twice its channels.

    `scale` groups in each block, each of floor(channels * base_width / 64) channels.
    `stem`: channels of the three first convolutions. `se`: by how much squeeze-and-excitation
    squeezes (published: 16); 0 = none. `fusion`: what the link from group to group does; all but
    "none" are reconstructions. `head`: "angular" goes with the A-Softmax loss. `time_edges`: what
    is beyond a window's ends, zeros or nothing.
    """

    blocks: Annotated[tuple[Count, ...], Field(min_length=1)] = (3, 4, 6, 3)
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32, 64, 128)
    base_width: Count = 26
    scale: Annotated[int, Field(ge=2)] = 4
    stem: Count = 16
    se: Natural = 0
    fusion: Fusion = "none"
    head: Literal["linear", "angular"] = "linear"
    time_edges: Literal["zeros", "valid"] = "zeros"

    def __post_init__(self) -> None:
        if len(self.blocks) != len(self.channels):
            raise ValueError(
                f"found {len(self.blocks)} numbers of blocks and {len(self.channels)} of channels, "
                "expected one of each per stage; make blocks and channels equally long"
            )
        narrowest = min(self.channels)
        if self.width(narrowest) < 1:
            raise ValueError(
                f"found base_width {self.base_width} and a stage of {narrowest} channels, which "
                "leaves groups without a channel; make base_width * channels at least 64"
            )
        if self.se > EXPANSION * narrowest:
            raise ValueError(
                f"found se {self.se}, which squeezes {EXPANSION * narrowest} channels to none; "
                "make it smaller, or 0 for none"
            )
        if self.time_edges == "valid" and (self.se or self.fusion != "none"):
            raise ValueError(
                f'found time_edges "valid" with se {self.se} and fusion "{self.fusion}", which '
                'look at the whole window or pad it; set se = 0 and fusion = "none", or time_edges '
                '= "zeros"'
            )

    @property
    def lost(self) -> int:
        """Frames that a 3x3 takes off either end."""
        return 1 if self.time_edges == "valid" else 0

    def frames_left(self, frames: int) -> int:
        """Of so many frames, behind the last block."""
        frames -= 3 * 2 * self.lost
        for i, blocks in enumerate(self.blocks):
            frames = (frames - 2 * self.lost - 1) // (2 if i else 1) + 1
            frames -= (blocks - 1) * 2 * (self.scale - 1) * self.lost
        return frames

    def width(self, channels: int) -> int:
        """Channels of one group."""
        return math.floor(channels * self.base_width / 64)


class Res2Net(Model):
    """Features [B, C, F, N] -> logits [B, K]; F and N are free."""

    Settings = Res2NetSettings

    def __init__(
        self, settings: Res2NetSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        refuse_smaller(shape, halvings=len(settings.blocks) - 1)
        if settings.frames_left(shape[2]) < 1:
            raise ValueError(
                f"found {shape[2]} frames, of which convolutions without padding leave none: take "
                'longer windows in [data], a shorter hop in [frontend], or time_edges = "zeros"'
            )
        self.settings = settings
        width, edge = settings.stem, 1 - settings.lost
        self.stem = nn.Sequential(
            *convolution(shape[0], width, kernel=3, edge=edge),
            *convolution(width, width, kernel=3, edge=edge),
            *convolution(width, width, kernel=3, edge=edge),
        )
        stages: list[nn.Module] = []
        for i, (blocks, channels) in enumerate(
            zip(settings.blocks, settings.channels, strict=True)
        ):
            stride = 1 if i == 0 else 2
            stage: list[nn.Module] = [FirstBlock(settings, width, channels, stride=stride)]
            width = EXPANSION * channels
            stage += [Block(settings, width, channels) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.output: nn.Module = nn.Linear(width, classes)
        if settings.head == "angular":
            self.output = AngularLinear(width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def note(self) -> str:
        """What must be said wherever this network's figures are shown; empty: nothing."""
        return NOTES[self.settings.fusion]

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> embedding [B, E], the mean over frequency and time."""
        embedding: Tensor = self.stages(self.stem(features)).mean(dim=(2, 3))
        return embedding


class Block(nn.Module):
    """[B, 2 P, F, N] -> [B, 2 P, F, N]; x, y are the S groups of W channels between two 1x1.

    y_1 = K_1(x_1); y_i = K_i(x_i + M(y_(i-1))) for i = 2 .. S-1; y_S = x_S. K is 3x3, batch norm,
    ReLU; M is the fusion, nothing in plain Res2Net.
    """

    def __init__(
        self, settings: Res2NetSettings, width: int, channels: int, *, stride: int = 1
    ) -> None:
        super().__init__()
        self.group, wider = settings.width(channels), EXPANSION * channels
        self.lost = settings.lost
        self.enter = nn.Sequential(*convolution(width, self.group * settings.scale, kernel=1))
        self.groups = nn.ModuleList(
            nn.Sequential(
                *convolution(self.group, self.group, kernel=3, stride=stride, edge=1 - self.lost)
            )
            for _ in range(settings.scale - 1)
        )
        self.links = nn.ModuleList(
            fusion(settings.fusion, self.group) for _ in range(settings.scale - 2)
        )
        # Without ReLU: that comes after the sum.
        self.leave = nn.Sequential(
            *convolution(self.group * settings.scale, wider, kernel=1)[:-1],
        )
        self.excite: nn.Module | None = None
        if settings.se:
            self.excite = ChannelView(wider, hidden=wider // settings.se, bias=False)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[B, 2 P, F, N] -> [B, 2 P, F, N], or what `shortcut` makes of it."""
        y = self.leave(torch.cat(self.looked_at(self.enter(x).split(self.group, dim=1)), dim=1))
        if self.excite is not None:
            y = y * self.excite(y)
        out: Tensor = self.activation(y + self.shortcut(x, frames=y.shape[-1]))
        return out

    def looked_at(self, x: tuple[Tensor, ...]) -> list[Tensor]:
        """S groups [B, W, F, N] -> the same, each having seen the ones before it.

        Group i (from 1) has lost i frames at either end, if any; the last one says what is left.
        """
        y = [self.groups[0](x[0])]
        for part, group, link in zip(x[1:-1], list(self.groups)[1:], self.links, strict=True):
            y.append(group(within(part, len(y) * self.lost) + link(y[-1])))
        last = len(y)
        return [
            *(within(group, (last - i) * self.lost) for i, group in enumerate(y, start=1)),
            within(x[-1], last * self.lost),
        ]

    def shortcut(self, x: Tensor, *, frames: int) -> Tensor:
        """As it is, but for the moments that the groups have lost."""
        return within(x, len(self.groups) * self.lost)


class FirstBlock(Block):
    """[B, V, F, N] -> [B, 2 P, ceil(F / stride), ceil(N / stride)]: the first block of a stage.

    Its groups do not see each other, y_i = K_i(x_i), and the last one is averaged over 3x3. The
    links it has all the same are never used; they are part of the counts with a fusion (950,716
    and 1,114,896), and an exported graph does not hold them.
    """

    def __init__(
        self, settings: Res2NetSettings, width: int, channels: int, *, stride: int
    ) -> None:
        super().__init__(settings, width, channels, stride=stride)
        self.stride = stride
        self.pool = nn.AvgPool2d(3, stride=stride, padding=(1, 1 - self.lost))
        self.narrow = nn.Sequential(
            averaging(stride, edge=1 - self.lost),
            *convolution(width, EXPANSION * channels, kernel=1)[:-1],
        )

    def looked_at(self, x: tuple[Tensor, ...]) -> list[Tensor]:
        """S groups [B, W, F, N] -> S groups of the stage's size, each for itself."""
        y: list[Tensor] = [group(part) for group, part in zip(self.groups, x[:-1], strict=True)]
        return [*y, self.pool(x[-1])]

    def shortcut(self, x: Tensor, *, frames: int) -> Tensor:
        """Averaged to the stage's size, 1x1 to its channels.

        A window's first 3x3 lies around moment 0, or around moment `lost`: the average begins there
        in either case.
        """
        if self.lost:
            x = x[..., self.lost : self.lost + self.stride * frames]
        narrowed: Tensor = self.narrow(x)
        return narrowed


def averaging(stride: int, *, edge: int) -> nn.Module:
    """Means of stride x stride places; what is left at an odd end counts alone, if there is one."""
    if stride == 1:
        return nn.Identity()
    if edge:
        return nn.AvgPool2d(stride, stride=stride, ceil_mode=True, count_include_pad=False)
    return Averaged(stride)


class Averaged(nn.Module):
    """[B, V, F, N] -> [B, V, ceil(F / stride), N / stride]: only the frequencies have an end."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """[B, V, F, N] -> [B, V, ceil(F / stride), N / stride]."""
        stride = self.stride
        if x.shape[2] % stride:
            x = F.avg_pool2d(x, (stride, 1), ceil_mode=True, count_include_pad=False)
            return F.avg_pool2d(x, (1, stride))
        return F.avg_pool2d(x, stride)


def within(x: Tensor, frames: int) -> Tensor:
    """[..., N] -> [..., N - 2 * frames], cut at both ends."""
    return x[..., frames:-frames] if frames else x


def convolution(
    width: int, wider: int, *, kernel: int, stride: int = 1, edge: int = 1
) -> list[nn.Module]:
    """Convolution, batch norm, ReLU: in this order the norm folds into the convolution.

    `edge`: 0 leaves out the zeros at both ends of time.
    """
    around = (kernel // 2, edge * (kernel // 2))
    return [
        nn.Conv2d(width, wider, kernel, stride=stride, padding=around, bias=False),
        nn.BatchNorm2d(wider),
        nn.ReLU(),
    ]
