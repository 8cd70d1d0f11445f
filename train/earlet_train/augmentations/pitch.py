"""Moves the pitch up or down, formants and all, at the same speed."""

from dataclasses import dataclass

import numpy as np

from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.augmentations.frozen import transformed
from earlet_train.augmentations.level import within_full_scale
from earlet_train.ranges import Rate, Real


@dataclass(frozen=True, kw_only=True)
class PitchSettings:
    """With `probability`, by `low_semitones` to `high_semitones`, drawn evenly.

    The range of +-4 is the one of Dutta et al. (WASPAA 2021, arXiv 2107.14793).
    """

    probability: Rate = 0.5
    low_semitones: Real = -4.0
    high_semitones: Real = 4.0

    def __post_init__(self) -> None:
        if not -24 <= self.low_semitones <= self.high_semitones <= 24:
            raise ValueError(
                f"low_semitones {self.low_semitones} and high_semitones {self.high_semitones} "
                "should be in order and within -24 to 24"
            )


class Pitch(Augmentation):
    """The Signalsmith stretcher of audiomentations; 4 s take about 10 ms.

    A phase vocoder leaves traces of its own, which a detector of vocoders may take for what it is
    looking for: give it to both classes or to none, which is what a recipe does.
    """

    Settings = PitchSettings

    def __init__(self, settings: PitchSettings, *, sample_rate_hz: int) -> None:
        from audiomentations import PitchShift

        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self._shift = PitchShift

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T], the same moments at the same places to a few ms."""
        s = self.settings
        if rng.random() >= s.probability:
            return waveform
        semitones = float(rng.uniform(s.low_semitones, s.high_semitones))
        shifted = transformed(
            self._shift(-24.0, 24.0, p=1.0),
            waveform,
            sample_rate_hz=self.sample_rate_hz,
            num_semitones=semitones,
        )
        return within_full_scale(shifted)
