"""How Res2Net hands one group of channels to the next: as it is, or looked at from several sides.

MPIF-Res2Net (Dong et al., DADA 2023, arXiv 2306.15389) "fuses information from different
perspectives" on this link. Its equations could not be obtained, so every fusion here is a
*reconstruction* from the abstract and from relatives of it (`NOTES` says which), and no figure of
the paper can be claimed for them.

Each is a module y [B, W, F, N] -> M(y) of the same shape, made from W alone: any F, any N.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Fusion = Literal["none", "views", "receptive", "depthwise", "gate"]

NOTES: dict[Fusion, str] = {
    "none": "",
    "views": (
        "MPIF (reconstruction): the paper's equations could not be obtained; the link between "
        "groups is weighted by a channel, a frequency and a time view"
    ),
    "receptive": (
        "MPIF (reconstruction): the paper's equations could not be obtained; the link between "
        "groups is seen through receptive fields of three sizes"
    ),
    "depthwise": (
        "MPIF (reconstruction): the paper's equations could not be obtained; the link between "
        "groups is gated by place, after SR-LA Res2Net"
    ),
    "gate": (
        "MPIF (reconstruction): the paper's equations could not be obtained; the link between "
        "groups is gated by channel, after CG-Res2Net"
    ),
}


def fusion(kind: Fusion, width: int) -> nn.Module:
    """Name -> the module for groups of W channels."""
    makers: dict[Fusion, Callable[[int], nn.Module]] = {
        "none": lambda _: nn.Identity(),
        "views": Views,
        "receptive": ReceptiveFields,
        "depthwise": PlaceGate,
        "gate": ChannelGate,
    }
    return makers[kind](width)


class Views(nn.Module):
    """[B, W, F, N] -> y * (c + f + t) / 3: what three views of y say about its worth.

    c [B, W, 1, 1] from the mean over frequency and time, through two small layers; f [B, W, F, 1]
    from the mean over time; t [B, W, 1, N] from the mean over frequency. All are sigmoids, and f
    and t share their weights along their axis, so neither F nor N is fixed.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = ChannelView(width, hidden=hidden_of(width))
        self.frequency = nn.Conv2d(width, width, 1)
        self.time = nn.Conv2d(width, width, 1)

    def forward(self, y: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, W, F, N]."""
        f = torch.sigmoid(self.frequency(y.mean(dim=3, keepdim=True)))
        t = torch.sigmoid(self.time(y.mean(dim=2, keepdim=True)))
        views: Tensor = self.channels(y) + f + t
        return y * (views * (1 / 3))


class ReceptiveFields(nn.Module):
    """[B, W, F, N] -> the same shape: 1x1, 3x3 and 3x3 two apart, side by side, then mixed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fields = nn.ModuleList(
            nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
            for convolution in (
                nn.Conv2d(width, width, 1, bias=False),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.Conv2d(width, width, 3, padding=2, dilation=2, bias=False),
            )
        )
        self.mix = nn.Sequential(nn.Conv2d(3 * width, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, y: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, W, F, N]."""
        mixed: Tensor = self.mix(torch.cat([field(y) for field in self.fields], dim=1))
        return mixed


class PlaceGate(nn.Module):
    """[B, W, F, N] -> y * g(f, n): the mean over channels through one wide 7x7 kernel, sigmoid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(1, 1, 7, padding=6, dilation=2)

    def forward(self, y: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, W, F, N]."""
        return y * torch.sigmoid(self.look(y.mean(dim=1, keepdim=True)))


class ChannelGate(nn.Module):
    """[B, W, F, N] -> y * c: the channel view alone.

    CG-Res2Net gates what batch norm gives, before the ReLU; here the gate stands behind it, where
    all fusions do.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = ChannelView(width, hidden=hidden_of(width))

    def forward(self, y: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, W, F, N]."""
        gated: Tensor = y * self.channels(y)
        return gated


class ChannelView(nn.Module):
    """[B, W, F, N] -> [B, W, 1, 1] in 0..1: the mean of each channel through two layers."""

    def __init__(self, width: int, *, hidden: int, bias: bool = True) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, hidden, 1, bias=bias),
            nn.ReLU(),
            nn.Conv2d(hidden, width, 1, bias=bias),
            nn.Sigmoid(),
        )

    def forward(self, y: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, W, 1, 1]."""
        view: Tensor = self.layers(y.mean(dim=(2, 3), keepdim=True))
        return view


def hidden_of(width: int) -> int:
    """A quarter, but at least two."""
    return max(width // 4, 2)
