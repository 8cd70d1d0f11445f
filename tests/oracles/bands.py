"""Bands by their definition: float64, numpy's FFT of each frame."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import get_window

from earlet_train.frontends.bands import BandsSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: BandsSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [1, bands, N], scaled natural log of power relative to a full-scale sine."""
    window = get_window(settings.window, settings.n_fft, fftbins=True)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, settings.n_fft)
    spectrum = np.fft.rfft(frames[:: settings.hop_samples] * window, axis=1)
    power = np.abs(spectrum[:, 1:]) ** 2 / (window.sum() / 2) ** 2
    bands = np.stack([p.mean(axis=1) for p in np.split(power, settings.bands, axis=1)])
    logs = np.log(np.maximum(bands, settings.floor))
    scaled: Floats = (logs - settings.centre_ln) / settings.spread_ln
    return scaled[None]
