"""Adds noise of a random colour and loudness."""

from dataclasses import dataclass

import numpy as np

from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.augmentations.level import within_full_scale
from earlet_train.ranges import Rate, Real


@dataclass(frozen=True, kw_only=True)
class NoiseSettings:
    """With `probability`, noise at a signal-to-noise ratio between `low_db` and `high_db`.

    Its power falls by 0 (white) to 6 dB (brown) per octave, drawn evenly.
    """

    probability: Rate = 0.5
    low_db: Real = 10.0
    high_db: Real = 40.0

    def __post_init__(self) -> None:
        if self.low_db > self.high_db:
            raise ValueError(f"low_db {self.low_db} lies above high_db {self.high_db}")


class Noise(Augmentation):
    """Gaussian noise; no babble, no music. Silence stays silence. Scaled down where it clips."""

    Settings = NoiseSettings

    def waveform(self, waveform: Floats, rng: np.random.Generator) -> Floats:
        """Waveform [T] -> waveform [T]."""
        s = self.settings
        if rng.random() >= s.probability:
            return waveform
        slope_db, snr_db = rng.uniform(0, 6), rng.uniform(s.low_db, s.high_db)
        spectrum = np.fft.rfft(rng.standard_normal(len(waveform), dtype=np.float32))
        # 6.02 dB per octave is an amplitude that falls as 1 / frequency.
        octaves = np.log2(np.maximum(np.arange(len(spectrum)), 1) / len(spectrum))
        noise = np.fft.irfft(spectrum * 10 ** (-slope_db * octaves / 20), n=len(waveform))
        wanted = float(np.sqrt(np.mean(np.square(waveform)))) * 10 ** (-snr_db / 20)
        noisy: Floats = waveform + noise.astype(np.float32) * np.float32(wanted / noise.std())
        return within_full_scale(noisy)
