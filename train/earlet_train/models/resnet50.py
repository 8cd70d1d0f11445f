"""ResNet50, the image classifier, for pictures of sound with any number of channels.

He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016 (arXiv 1512.03385),
in the form that everybody's weights are of: the stride of a block is in its 3x3 convolution
("v1.5"). Written from the description; modules bear the names of torchvision's, but for the last
layer, so that its weights load by name (`earlet_train.released_weights`).

    image                                       [B, C, 224, 224]
    conv1 7x7 stride 2, batch norm, ReLU        [B, 64, 112, 112]
    max pool 3x3 stride 2                       [B, 64, 56, 56]
    layer1: 3 blocks of 1x1, 3x3, 1x1           [B, 256, 56, 56]
    layer2: 4 blocks, the first with stride 2   [B, 512, 28, 28]
    layer3: 6 blocks, the first with stride 2   [B, 1024, 14, 14]
    layer4: 3 blocks, the first with stride 2   [B, 2048, 7, 7]
    mean over the map                           [B, 2048]
    linear                                      [B, K]

23,512,130 parameters with three channels and two labels, 4.1 GMAC at 224 x 224.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from earlet_train.models.model import Model, refuse_smaller
from earlet_train.ranges import Count, Rate

# A block's last convolution is so many times as wide as its others.
EXPANSION = 4


@dataclass(frozen=True, kw_only=True)
class ResNet50Settings:
    """`blocks`: of each of the four layers; `channels`: of the first convolution.

    `dropout`: before the last layer; the published network has none.
    """

    blocks: Annotated[tuple[Count, ...], Field(min_length=4, max_length=4)] = (3, 4, 6, 3)
    channels: Count = 64
    dropout: Rate = 0.0


class ResNet50(Model):
    """Image [B, C, F, N] -> logits [B, K]; F and N are free."""

    Settings = ResNet50Settings

    def __init__(
        self, settings: ResNet50Settings, *, shape: tuple[int, int, int], classes: int
    ) -> None:
        super().__init__(settings, shape=shape, classes=classes)
        refuse_smaller(shape, halvings=5)
        narrow = settings.channels
        self.conv1 = nn.Conv2d(shape[0], narrow, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        one, two, three, four = settings.blocks
        self.layer1 = layer(one, narrow, narrow, stride=1)
        self.layer2 = layer(two, narrow * 4, narrow * 2, stride=2)
        self.layer3 = layer(three, narrow * 8, narrow * 4, stride=2)
        self.layer4 = layer(four, narrow * 16, narrow * 8, stride=2)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(narrow * 8 * EXPANSION, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def embedding(self, features: Tensor) -> Tensor:
        """Image [B, C, F, N] -> embedding [B, E], the mean of the last map."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(features))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        embedding: Tensor = self.dropout(x.mean(dim=(2, 3)))
        return embedding


def layer(blocks: int, width: int, narrow: int, *, stride: int) -> nn.Sequential:
    """Bottlenecks from `width` channels to four times `narrow`; the first has the stride."""
    wide = narrow * EXPANSION
    first = Bottleneck(width, narrow, stride=stride)
    return nn.Sequential(first, *(Bottleneck(wide, narrow, stride=1) for _ in range(blocks - 1)))


class Bottleneck(nn.Module):
    """[B, W, F, N] -> [B, 4 narrow, F / stride, N / stride]: 1x1, 3x3, 1x1, and what came in."""

    def __init__(self, width: int, narrow: int, *, stride: int) -> None:
        super().__init__()
        wide = narrow * EXPANSION
        self.conv1 = nn.Conv2d(width, narrow, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(narrow)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(narrow)
        self.conv3 = nn.Conv2d(narrow, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or width != wide:
            self.downsample = nn.Sequential(
                nn.Conv2d(width, wide, 1, stride=stride, bias=False), nn.BatchNorm2d(wide)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, W, F, N] -> [B, 4 narrow, F', N']."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        summed: Tensor = self.relu(self.bn3(self.conv3(y)) + self.downsample(x))
        return summed
