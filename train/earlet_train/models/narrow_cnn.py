"""A small picture-reading network made for int8: earlet's default model.

Only what ONNX Runtime runs whole in int8: convolution, batch norm (folded away), ReLU; channels in
multiples of 16; the picture is halved in the stem, by strides, never by an average. What is left
of the frequency axis is read by one tall convolution (so the network knows *where* in the spectrum
it saw something), what is left of time is averaged (so any length will do).

With `time_edges = "valid"` nothing is invented before a window's first frame or behind its last:
every column is computed from frames that were there, so it is the same column in every window that
holds it, and a stream need not compute it again. With "zeros" a window's edges are padded.

    features [B, 1, 128, N]
    stem 3x3 stride 2               [B, 16, 64, N/2]
    three stages: 3x3 stride 2,     [B, 32, 32, N/4]
      3x3 (the last has no second)  [B, 48, 16, N/8]
                                    [B, 64,  8, N/16]
    8x1                             [B, 64,  1, N/16]
    mean over time, linear          [B, K]

About 109,000 parameters and 20 million multiplications per second of sound.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from earlet_train.models.model import Model, refuse_smaller
from earlet_train.ranges import Count, Rate


@dataclass(frozen=True, kw_only=True)
class NarrowCnnSettings:
    """`channels`: of the stem, then of each stage; `dropout`: before the last layer.

    `time_edges`: what convolutions see beyond a window's ends, zeros or nothing.
    """

    channels: Annotated[tuple[Count, ...], Field(min_length=2)] = (16, 32, 48, 64)
    dropout: Rate = 0.2
    time_edges: Literal["zeros", "valid"] = "zeros"


class NarrowCnn(Model):
    """Features [B, C, F, N] -> logits [B, K]; F is fixed, N is free."""

    Settings = NarrowCnnSettings

    def __init__(
        self, settings: NarrowCnnSettings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        self.settings = settings
        refuse_smaller(shape, halvings=len(settings.channels))
        width, bins, _ = shape
        layers: list[nn.Module] = []
        last = len(settings.channels) - 1
        edge = 1 if settings.time_edges == "zeros" else 0
        for i, wider in enumerate(settings.channels):
            layers += convolution(width, wider, stride=2, edge=edge)
            bins = (bins + 1) // 2
            if 0 < i < last:
                layers += convolution(wider, wider, stride=1, edge=edge)
            width = wider
        self.body = nn.Sequential(*layers)
        self.tall = nn.Sequential(
            nn.Conv2d(width, width, (bins, 1), bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(width, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> embedding [B, E], the mean over time."""
        embedding: Tensor = self.dropout(self.tall(self.body(features)).mean(dim=(2, 3)))
        return embedding


def convolution(width: int, wider: int, *, stride: int, edge: int) -> list[nn.Module]:
    """3x3 convolution, batch norm, ReLU: in this order the norm folds into the convolution.

    `edge`: columns of zeros at both ends of time.
    """
    return [
        nn.Conv2d(width, wider, 3, stride=stride, padding=(1, edge), bias=False),
        nn.BatchNorm2d(wider),
        nn.ReLU(),
    ]
