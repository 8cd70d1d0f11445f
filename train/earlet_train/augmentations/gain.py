"""Plays each window louder or softer."""

from dataclasses import dataclass

import numpy as np

from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.ranges import Real


@dataclass(frozen=True, kw_only=True)
class GainSettings:
    """Gain in dB, drawn evenly between `low_db` and `high_db`."""

    low_db: Real = -15.0
    high_db: Real = 10.0

    def __post_init__(self) -> None:
        if self.low_db > self.high_db:
            raise ValueError(f"low_db {self.low_db} lies above high_db {self.high_db}")


class Gain(Augmentation):
    """Never clips: a gain that would is lowered until the peak is 1. Does not change noise."""

    Settings = GainSettings

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T]."""
        gain = 10 ** (rng.uniform(self.settings.low_db, self.settings.high_db) / 20)
        peak = float(np.abs(waveform).max())
        return waveform * np.float32(min(gain, 1 / peak) if peak > 0 else gain)
