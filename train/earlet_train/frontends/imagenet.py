"""One grey picture as the image models know it: grey, or three channels scaled for ImageNet."""

import torch
from torch import Tensor

# Mean and spread of red, green and blue over ImageNet's training pictures, which every published
# weight of torchvision expects to have been taken off.
MEAN = (0.485, 0.456, 0.406)
SPREAD = (0.229, 0.224, 0.225)


def with_channels(picture: Tensor, channels: int) -> Tensor:
    """Picture [B, H, W] in [0, 1] -> [B, 1, H, W] as it is, or [B, 3, H, W] scaled for ImageNet.

    Three channels exist only for weights that were trained on photographs; the picture has one
    colour, so each channel is the same picture, minus that channel's mean, over its spread.
    """
    if channels == 1:
        return picture[:, None]
    mean = torch.tensor(MEAN, dtype=picture.dtype, device=picture.device)[:, None, None]
    spread = torch.tensor(SPREAD, dtype=picture.dtype, device=picture.device)[:, None, None]
    return (picture[:, None] - mean) / spread
