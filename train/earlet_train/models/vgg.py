"""VGG-like: the plain 31-row convolutional network of "Be ware of what you hear".

Written from the layer table on the project's slides (nothing else of it was published). Made for
spectrogram images of 224 x 224, one channel:

    image                                             [B, 1, 224, 224]
    (conv 3x3 -> 16, batch norm, ReLU) x 2, max pool  [B, 16, 112, 112]
    (conv 3x3 -> 32, batch norm, ReLU) x 2, max pool  [B, 32, 56, 56]
    conv 3x3 -> 64, batch norm, ReLU, max pool        [B, 64, 28, 28]
    conv 3x3 -> 64, batch norm, ReLU, max pool        [B, 64, 14, 14]
    conv 3x3 -> 128, batch norm, ReLU, max pool       [B, 128, 7, 7]
    conv 3x3 -> 128, batch norm, ReLU                 [B, 128, 7, 7]
    flatten                                           [B, 6272]
    linear                                            [B, K]

306,738 parameters with two labels, 404.6 million multiplications.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from earlet_train.models.model import Model
from earlet_train.ranges import Count

Group = Annotated[tuple[Count, ...], Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class VggSettings:
    """`groups`: the channels of each convolution; a max pool stands between two groups."""

    groups: Annotated[tuple[Group, ...], Field(min_length=1)] = (
        (16, 16),
        (32, 32),
        (64,),
        (64,),
        (128,),
        (128,),
    )


class Vgg(Model):
    """Image [B, C, F, N] -> logits [B, K]. The flattened layer fixes F and N."""

    Settings = VggSettings

    def __init__(self, settings: VggSettings, *, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        width, bins, frames = shape
        layers: list[nn.Module] = []
        for number, group in enumerate(settings.groups):
            if number > 0:
                layers.append(nn.MaxPool2d(2))
                bins, frames = bins // 2, frames // 2
            for wider in group:
                layers += [nn.Conv2d(width, wider, 3, padding=1), nn.BatchNorm2d(wider), nn.ReLU()]
                width = wider
        if min(bins, frames) < 1:
            least = 2 ** (len(settings.groups) - 1)
            raise ValueError(
                f"found features of {shape[1]} x {shape[2]}, expected at least {least} x {least}, "
                f"which {len(settings.groups) - 1} pools halve to one: make the image larger or "
                "[model] groups fewer"
            )
        self.body = nn.Sequential(*layers)
        self.output = nn.Linear(width * bins * frames, classes)

    def embedding(self, features: Tensor) -> Tensor:
        """Image [B, C, F, N] -> embedding [B, E], the flattened map."""
        embedding: Tensor = self.body(features).flatten(1)
        return embedding

    def why_fixed_length(self) -> str:
        """The flattened layer."""
        return (
            "its linear layer reads the flattened map, so every column of the image has its own "
            "weights; average over time before it (narrow-cnn does)"
        )
