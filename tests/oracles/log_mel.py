"""Log-mel energies with librosa's filters and decibels, in float64."""

import librosa
import numpy as np
from numpy.typing import NDArray
from oracles.spectrum import power_spectrum

from earlet_train.frontends.log_mel import LogMelSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: LogMelSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [1, mels, N]."""
    s = settings
    power = power_spectrum(
        waveform,
        n_fft=s.n_fft,
        hop_samples=s.hop_samples,
        window_samples=s.window_samples,
        window=s.window,
        centre=s.centre,
    )
    filters = librosa.filters.mel(
        sr=sample_rate_hz,
        n_fft=s.n_fft,
        n_mels=s.mels,
        fmin=s.low_hz,
        fmax=s.high_hz or sample_rate_hz / 2,
        htk=s.scale == "htk",
        norm="slaney" if s.norm == "slaney" else None,
        dtype=np.float64,
    )
    decibels: Floats = librosa.power_to_db(
        filters @ power, ref=1.0, amin=s.floor, top_db=s.range_db or None
    )
    return decibels[None] if s.log == "db" else (decibels * np.log(10) / 10)[None]
