"""Turns, shifts, stretches, slants and mirrors the feature map as if it were a photograph."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.ranges import NotNegative, Positive, Rate


@dataclass(frozen=True, kw_only=True)
class ImageGeometrySettings:
    """Up to `degrees` and `shear_degrees` either way, `translate` of the size, a scale, a flip.

    The published student project names RandomRotation, RandomAffine and HorizontalFlip, but not
    their ranges: these are ours. `blank`: what comes in from outside, each channel's `lowest`
    value in this window (black, in a spectrogram) or `zero`. `copies_only`: leave recordings alone
    and change only the copies of the smaller class that balancing by multiplying makes.
    """

    probability: Rate = 1.0
    degrees: NotNegative = 10.0
    translate: Rate = 0.1
    low_scale: Positive = 0.9
    high_scale: Positive = 1.1
    shear_degrees: NotNegative = 5.0
    flip_probability: Rate = 0.5
    blank: Literal["lowest", "zero"] = "lowest"
    copies_only: bool = True

    def __post_init__(self) -> None:
        if self.low_scale > self.high_scale:
            raise ValueError(f"low_scale {self.low_scale} lies above {self.high_scale}")
        if self.shear_degrees >= 90:
            raise ValueError(f"shear_degrees {self.shear_degrees} should be less than 90")


class ImageGeometry(Augmentation):
    """What multiplies the smaller class in the student project "Be ware of what you hear".

    Fit for photographs, not for sound: the flip reverses time, turning and slanting trade time for
    frequency, so a changed copy is no recording of any voice. Given to one class only, as balancing
    by multiplying does, it is also a mark of that class. Kept because it was published.
    """

    Settings = ImageGeometrySettings

    @property
    def copies_only(self) -> bool:
        """As the settings say."""
        return bool(self.settings.copies_only)

    def features(self, features: Tensor, rng: np.random.Generator) -> Tensor:
        """Features [B, C, F, N] -> features [B, C, F, N], sampled bilinearly."""
        s = self.settings
        height, width = features.shape[2:]
        sources = np.stack([self._source(height, width, rng) for _ in range(len(features))])
        is_changed = torch.from_numpy(rng.random(len(features)) < s.probability)
        grid = F.affine_grid(
            torch.from_numpy(sources).to(features), list(features.shape), align_corners=False
        )
        blank = features.amin(dim=(2, 3), keepdim=True) if s.blank == "lowest" else 0.0
        # grid_sample reads zeros outside: the blank is made zero before and put back after.
        moved = F.grid_sample(features - blank, grid, align_corners=False) + blank
        return torch.where(is_changed.to(features.device)[:, None, None, None], moved, features)

    def _source(self, height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """-> [2, 3], for `affine_grid`: from where each cell is read, in units of half the size.

        Drawn in cells, so that a turned square stays a square in a map that is not one.
        """
        s = self.settings
        angle = np.deg2rad(rng.uniform(-s.degrees, s.degrees))
        slant = np.tan(np.deg2rad(rng.uniform(-s.shear_degrees, s.shear_degrees)))
        scale = rng.uniform(s.low_scale, s.high_scale)
        flip = -1.0 if rng.random() < s.flip_probability else 1.0
        half = np.array([width, height]) / 2
        shift = rng.uniform(-s.translate, s.translate, size=2) * 2 * half
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moves = scale * turn @ np.array([[1, slant], [0, 1]]) @ np.diag([flip, 1.0])
        back = np.linalg.inv(moves)
        linear = back * half / half[:, None]
        return np.column_stack([linear, -(back @ shift) / half])
