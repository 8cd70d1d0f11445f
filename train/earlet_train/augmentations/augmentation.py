"""What every augmentation is: it changes how a recording sounds, never what it is."""

from abc import ABC
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float32]


class Augmentation(ABC):
    """Changes training windows as waveform, as features or among each other; by default nothing.

    Built from its own `Settings` (a recipe's [[augmentation]] table) and the rate in Hz. Applied
    in the recipe's order. All chance comes from the generator, so an epoch can be repeated. No step
    writes to its input, and none may look at the label to decide what to do: a channel that only
    one class has is what a detector would learn.
    """

    Settings: ClassVar[type[Any]]

    def __init__(self, settings: Any, *, sample_rate_hz: int) -> None:
        self.settings, self.sample_rate_hz = settings, sample_rate_hz

    @property
    def copies_only(self) -> bool:
        """True: `features` is applied only to the copies that balancing by multiplying made."""
        return False

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T], in [-1, 1]."""
        return waveform

    def features(self, features: Tensor, rng: np.random.Generator) -> Tensor:
        """Features [B, C, F, N] -> features [B, C, F, N], each clip by itself."""
        return features

    def mix(
        self, features: Tensor, targets: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Features [B, C, F, N], targets [B, K] (each row sums to 1) -> both, clips mixed."""
        return features, targets
