"""Plays each window faster or slower, as a tape would or at the same pitch."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.augmentations.frozen import transformed
from earlet_train.augmentations.level import within_full_scale
from earlet_train.ranges import Positive, Rate

STEPS = 200  # factors that are tapes' are multiples of 1/200, so that the filter stays short


@dataclass(frozen=True, kw_only=True)
class SpeedSettings:
    """With `probability`, by a factor between `low` and `high`, drawn evenly on a log scale.

    `method`: `tape` resamples, so pitch and formants move along (Ko et al., Interspeech 2015, who
    used 0.9, 1 and 1.1); `stretch` keeps the pitch (Dutta et al., WASPAA 2021: 0.5 to 2) and
    leaves the traces of a phase vocoder.
    """

    probability: Rate = 0.5
    method: Literal["tape", "stretch"] = "tape"
    low: Positive = 0.9
    high: Positive = 1.1

    def __post_init__(self) -> None:
        # Beyond twice as slow the stretcher draws random phases of its own.
        if not 0.5 <= self.low <= self.high <= 2:
            raise ValueError(
                f"low {self.low} and high {self.high} should be in order and within 0.5 to 2"
            )


class Speed(Augmentation):
    """The window keeps its length: what is too long is cropped at a random place, what is too
    short starts again from its beginning.
    """

    Settings = SpeedSettings

    def __init__(self, settings: SpeedSettings, *, sample_rate_hz: int) -> None:
        from audiomentations import TimeStretch

        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self._stretch = TimeStretch

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T]."""
        s = self.settings
        if rng.random() >= s.probability:
            return waveform
        factor = float(2 ** rng.uniform(np.log2(s.low), np.log2(s.high)))
        heard = (
            self._stretched(waveform, factor) if s.method == "stretch" else tape(waveform, factor)
        )
        return within_full_scale(_of_length(heard, len(waveform), rng))

    def _stretched(self, waveform: Floats, factor: float) -> Floats:
        stretch = self._stretch(0.5, 2.0, leave_length_unchanged=False, p=1.0)
        return transformed(stretch, waveform, sample_rate_hz=self.sample_rate_hz, rate=factor)


def tape(waveform: Floats, factor: float) -> Floats:
    """Waveform [T] -> waveform [about T / factor]: every frequency times the factor."""
    from earlet_train.corpus.speech_level import resample

    return resample(waveform, round(STEPS * factor), STEPS)


def _of_length(waveform: Floats, length: int, rng: np.random.Generator) -> Floats:
    if len(waveform) < length:
        return np.resize(waveform, length)
    start = int(rng.integers(0, len(waveform) - length + 1))
    return waveform[start : start + length]
