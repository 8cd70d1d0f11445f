"""Leaves only the band of frequencies that a telephone carries."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.augmentations.frozen import transformed
from earlet_train.augmentations.level import within_full_scale
from earlet_train.ranges import Positive, Rate


@dataclass(frozen=True, kw_only=True)
class TelephoneSettings:
    """With `probability`, what lies outside `low_hz` to `high_hz` is filtered away.

    Each edge is drawn anew, evenly within a share `spread` of it. Beyond an edge the level falls by
    `rolloff_db` per octave. 300 to 3400 Hz is the narrow band of ITU-T G.712.
    """

    probability: Rate = 0.5
    low_hz: Positive = 300.0
    high_hz: Positive = 3400.0
    spread: Rate = 0.1
    rolloff_db: Literal[12, 24, 36, 48] = 48

    def __post_init__(self) -> None:
        if self.low_hz * (1 + self.spread) >= self.high_hz * (1 - self.spread):
            raise ValueError(
                f"low_hz {self.low_hz} and high_hz {self.high_hz} leave no band between them at "
                f"spread {self.spread}. Move them apart"
            )


class Telephone(Augmentation):
    """Two Butterworth edges, run forwards and backwards so that nothing is delayed.

    The band only: no companding, no packet loss (see the augmentation `codec`), no resampling.
    """

    Settings = TelephoneSettings

    def __init__(self, settings: TelephoneSettings, *, sample_rate_hz: int) -> None:
        from audiomentations import BandPassFilter

        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        highest_hz = settings.high_hz * (1 + settings.spread)
        if highest_hz >= sample_rate_hz / 2:
            raise ValueError(
                f"found an upper edge of up to {highest_hz:g} Hz, expected less than half of the "
                f"{sample_rate_hz} Hz of the recordings. Lower high_hz or spread"
            )
        self._band_pass = BandPassFilter

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T]."""
        s = self.settings
        if rng.random() >= s.probability:
            return waveform
        low_hz, high_hz = np.array([s.low_hz, s.high_hz]) * rng.uniform(
            1 - s.spread, 1 + s.spread, size=2
        )
        filtered = transformed(
            self._band_pass(
                min_rolloff=s.rolloff_db, max_rolloff=s.rolloff_db, zero_phase=True, p=1.0
            ),
            waveform,
            sample_rate_hz=self.sample_rate_hz,
            center_freq=float(low_hz + high_hz) / 2,
            bandwidth=float(high_hz - low_hz),
            rolloff=s.rolloff_db,
        )
        return within_full_scale(filtered)
