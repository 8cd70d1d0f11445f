"""Bilinear resizing whose weights are the same wherever it is computed.

torch's `interpolate` and ONNX Runtime's Resize find their places in float32, each in its own way:
at column 300 they are 1e-5 of a pixel apart, which a deep network makes 6e-4 of a logit of.
"""

import numpy as np
import torch
from torch import Tensor


def resized(picture: Tensor, rows: int, columns: int) -> Tensor:
    """Picture [B, F, N] -> [B, rows, columns], bilinearly, without antialiasing.

    Pixels are squares that fill the picture, as `align_corners=False` takes them; beyond the middle
    of an outermost pixel its own value goes on.
    """
    return _along(_along(picture, 1, rows), 2, columns)


def _along(picture: Tensor, axis: int, pixels: int) -> Tensor:
    """One axis of it: each new pixel from its two neighbours."""
    old = picture.shape[axis]
    places = ((np.arange(pixels) + 0.5) * old / pixels - 0.5).clip(0, old - 1)
    before = np.floor(places).astype(np.int64)
    share = torch.from_numpy(places - before).to(picture.device, picture.dtype)
    shape = (1, -1, 1) if axis == 1 else (1, 1, -1)
    nearest, next_one = (
        picture.index_select(axis, torch.from_numpy(index).to(picture.device))
        for index in (before, np.minimum(before + 1, old - 1))
    )
    return nearest + (next_one - nearest) * share.reshape(shape)
