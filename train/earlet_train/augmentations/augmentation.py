"""What every augmentation is: it changes how a recording sounds, never what it is."""

from abc import ABC
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]


class Augmentation(ABC):
    """Changes one training window, as waveform or as features; each step by default does nothing.

    Built from its own `Settings` (a recipe's [[augmentation]] table) and the rate in Hz. Applied
    in the recipe's order. All chance comes from the generator, so an epoch can be repeated.
    """

    Settings: ClassVar[type[Any]]

    def __init__(self, settings: Any, *, sample_rate_hz: int) -> None:
        self.settings, self.sample_rate_hz = settings, sample_rate_hz

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T], in [-1, 1]; the input is not written to."""
        return waveform

    def features(self, features: Tensor, rng: np.random.Generator) -> Tensor:
        """Features [B, C, F, N] -> features [B, C, F, N]; the input is not written to."""
        return features
