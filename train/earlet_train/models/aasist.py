"""AASIST-L: graphs of what happens in the spectrum and what happens in time, and between them.

Tak, Jung et al., "AASIST: audio anti-spoofing using integrated spectro-temporal graph attention
networks", ICASSP 2022 (arXiv 2110.01200), and the code published with it. Written from the
description; the frontend `sinc` comes before it. For windows of 64,600 samples:

    features                                               [B, 1, 23, 21490]
    batch norm, SELU
    six residual blocks 2x3, each pools time by three      [B, 24, 23, 29]
    largest magnitude over time, plus position: S nodes    [B, 23, 24]
    largest magnitude over frequency: T nodes              [B, 29, 24]
    graph attention each; the best 0.4 of S, 0.5 of T      [B, 9, 24], [B, 14, 24]
    two branches: attention over both kinds and a master   [B, 6, 32], [B, 9, 32], [B, 1, 32]
      node, the best 0.7 kept, attention once more
    the larger of the branches; of T and S the largest
      magnitude and the mean, and the master               [B, 160]
    linear                                                 [B, K]

85,306 parameters with two labels, 272 of them unused without `preact`; 6.6 GMAC. The paper's larger
AASIST is channels = [32, 32, 64, 64], graph = [64, 32] and pools = [0.5, 0.7, 0.5]
(297,866 parameters).

The branches are compared node by node in the order of their scores: where two nodes score almost
alike, rounding may swap them and move the logits by more than rounding does elsewhere.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from earlet_train.models.graph_attention import AttentionOfKinds, GraphAttention, GraphPool
from earlet_train.models.model import Model
from earlet_train.ranges import Count, Positive, Rate

BLOCKS = 6


@dataclass(frozen=True, kw_only=True)
class AasistSettings:
    """`channels`: of the first, second, third and of the last three blocks; `graph`: of a node
    before and after the kinds of nodes meet; `pools`: the share of nodes that is kept of S, of T
    and inside a branch; `temperatures`: what attention is divided by, in the graphs of S, of T and
    of both: larger is flatter.

    `preact`: batch norm and SELU before each block's first convolution (not the first's): in the
    published figure, but the published code overwrites what they give.
    """

    channels: Annotated[tuple[Count, ...], Field(min_length=4, max_length=4)] = (32, 32, 24, 24)
    graph: Annotated[tuple[Count, ...], Field(min_length=2, max_length=2)] = (24, 32)
    pools: Annotated[tuple[Rate, ...], Field(min_length=3, max_length=3)] = (0.4, 0.5, 0.7)
    temperatures: Annotated[tuple[Positive, ...], Field(min_length=3, max_length=3)] = (
        2.0,
        2.0,
        100.0,
    )
    dropout: Rate = 0.5
    preact: bool = False


class Aasist(Model):
    """Features [B, 1, F, N] -> logits [B, K]; F is fixed, N is free (729 or more)."""

    Settings = AasistSettings

    def __init__(
        self, settings: AasistSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        channels, bins, frames = shape
        if frames < 3**BLOCKS:
            raise ValueError(
                f"found features of {frames} frames, expected at least {3**BLOCKS}, which six "
                "pools thin to one: use the frontend 'sinc', or a longer window"
            )
        widths = (channels, *settings.channels, settings.channels[-1], settings.channels[-1])
        width, (narrow, wide) = widths[-1], settings.graph
        of_s, of_t, inside = settings.pools
        warm_s, warm_t, warm_both = settings.temperatures
        self.preact = settings.preact
        self.norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(
            Block(widths[i], widths[i + 1], preact=settings.preact, first=i == 0)
            for i in range(BLOCKS)
        )
        self.positions = nn.Parameter(torch.randn(1, bins, width))
        self.attention_s = GraphAttention(width, narrow, temperature=warm_s)
        self.attention_t = GraphAttention(width, narrow, temperature=warm_t)
        self.pool_s = GraphPool(narrow, keep=of_s)
        self.pool_t = GraphPool(narrow, keep=of_t)
        self.branches = nn.ModuleList(
            Branch(narrow, wide, temperature=warm_both, keep=inside) for _ in range(2)
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(5 * wide, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, 1, F, N] -> embedding [B, 5 W]."""
        x = nn.functional.selu(self.norm(features))
        for block in self.blocks:
            x = block(x)
        x = x.abs()
        s = self.pool_s(self.attention_s(x.amax(dim=3).transpose(1, 2) + self.positions))
        t = self.pool_t(self.attention_t(x.amax(dim=2).transpose(1, 2)))
        one, other = (branch(t, s) for branch in self.branches)
        t, s, master = (torch.maximum(a, b) for a, b in zip(one, other, strict=True))
        parts = [t.abs().amax(dim=1), t.mean(dim=1), s.abs().amax(dim=1), s.mean(dim=1)]
        embedding: Tensor = self.dropout(torch.cat([*parts, master.squeeze(1)], dim=1))
        return embedding


class Block(nn.Module):
    """[B, V, F, N] -> [B, W, F, N // 3]; kernels two bins tall, which keep F together."""

    def __init__(self, width: int, wider: int, *, preact: bool, first: bool) -> None:
        super().__init__()
        self.preact = preact and not first
        # Made even where it is not used: part of the published count and weights.
        self.before: nn.Module = nn.Identity()
        if not first:
            self.before = nn.Sequential(nn.BatchNorm2d(width), nn.SELU())
        self.main = nn.Sequential(
            nn.Conv2d(width, wider, (2, 3), padding=(1, 1)),
            nn.BatchNorm2d(wider),
            nn.SELU(),
            nn.Conv2d(wider, wider, (2, 3), padding=(0, 1)),
        )
        self.skip: nn.Module = nn.Identity()
        if width != wider:
            self.skip = nn.Conv2d(width, wider, (1, 3), padding=(0, 1))
        self.pool = nn.MaxPool2d((1, 3))

    def forward(self, x: Tensor) -> Tensor:
        """[B, V, F, N] -> [B, W, F, N // 3]."""
        main = self.main(self.before(x) if self.preact else x)
        pooled: Tensor = self.pool(main + self.skip(x))
        return pooled


class Branch(nn.Module):
    """T nodes [B, T, V], S nodes [B, S, V] -> fewer of both and a master node, of width W."""

    def __init__(self, narrow: int, wide: int, *, temperature: float, keep: float) -> None:
        super().__init__()
        self.master = nn.Parameter(torch.randn(1, 1, narrow))
        self.first = AttentionOfKinds(narrow, wide, temperature=temperature)
        self.second = AttentionOfKinds(wide, wide, temperature=temperature)
        self.pool_s = GraphPool(wide, keep=keep)
        self.pool_t = GraphPool(wide, keep=keep)
        self.dropout = nn.Dropout(0.2)

    def forward(self, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """-> T nodes [B, T', W], S nodes [B, S', W], master [B, 1, W]."""
        t, s, master = self.first(t, s, self.master)
        t, s = self.pool_t(t), self.pool_s(s)
        more_t, more_s, more = self.second(t, s, master)
        t, s, master = t + more_t, s + more_s, master + more
        return self.dropout(t), self.dropout(s), self.dropout(master)
