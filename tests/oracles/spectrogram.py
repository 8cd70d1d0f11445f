"""The spectrogram of the published Spec-ResNet by librosa, which its authors used, in float64."""

import librosa
import numpy as np
from numpy.typing import NDArray

from earlet_train.frontends.spectrogram import SpectrogramSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: SpectrogramSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> decibels [1, n_fft // 2 + 1, N]."""
    if settings.peak_normalise:
        waveform = librosa.util.normalize(waveform)
    spectrum = librosa.stft(
        waveform,
        n_fft=settings.n_fft,
        hop_length=settings.hop_samples,
        window=settings.window,
        center=settings.centre != "none",
        pad_mode="reflect" if settings.centre == "reflect" else "constant",
    )
    decibels: Floats = librosa.power_to_db(
        np.abs(spectrum) ** 2, ref=1.0, amin=settings.floor, top_db=settings.range_db or None
    )
    return decibels[None]
