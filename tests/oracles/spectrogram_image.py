"""The spectrogram picture by its definition: float64, one pixel row and column after the other."""

import numpy as np
from numpy.typing import NDArray
from oracles.spectrum import power_spectrum

from earlet_train.frontends.spectrogram_image import SpectrogramImageSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: SpectrogramImageSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [channels, size, size], the first row the highest frequency."""
    s = settings
    power = power_spectrum(waveform, n_fft=s.n_fft, hop_samples=s.hop_samples, centre="reflect")
    decibels = 10 * np.log10(np.maximum(power, s.floor))
    highest, lowest = decibels.max(), decibels.min()
    if s.range_db:
        lowest = max(lowest, highest - s.range_db)
    grey = np.maximum(decibels - lowest, 0) / max(highest - lowest, 1.0)
    picture = resized(resized(grey[::-1], s.size).T, s.size).T
    return coloured(picture, s.channels)


def resized(x: Floats, size: int) -> Floats:
    """[F, N] -> [size, N]: each new row between the two old ones around the middle it covers."""
    rows = []
    for i in range(size):
        place = min(max((i + 0.5) * len(x) / size - 0.5, 0), len(x) - 1)
        above = int(place)
        below = min(above + 1, len(x) - 1)
        rows.append(x[above] + (place - above) * (x[below] - x[above]))
    return np.stack(rows)


def coloured(picture: Floats, channels: int) -> Floats:
    """Picture [H, W] -> [1, H, W], or [3, H, W] as torchvision's Normalize makes it."""
    if channels == 1:
        return picture[None]
    mean_and_spread = ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))
    return np.stack([(picture - mean) / spread for mean, spread in mean_and_spread])
