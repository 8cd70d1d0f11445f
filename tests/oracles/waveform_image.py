"""The waveform picture by its definition: float64, one pixel after the other."""

import math

import numpy as np
from numpy.typing import NDArray
from oracles.spectrogram_image import coloured

from earlet_train.frontends.waveform_image import WaveformImageSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: WaveformImageSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [channels, size, size], the first row the amplitude +1."""
    s = settings
    x = np.asarray(waveform, dtype=np.float64)
    if s.scale == "peak":
        x = x / max(np.abs(x).max(), 1e-5)
    picture = np.zeros((s.size, s.size))
    columns = np.array_split(np.arange(len(x)), s.size)
    for j, column in enumerate(columns):
        following = columns[j + 1][:1] if j + 1 < s.size else column[-1:]
        drawn = x[np.concatenate([column, following])]
        # On paper: pixel row i lies from i to i + 1, the amplitude +1 at 0.
        top, bottom = (
            min(max((1 - value) * s.size / 2, 0.5), s.size - 0.5)
            for value in (drawn.max(), drawn.min())
        )
        for i in range(s.size):
            if s.edge == "soft":
                picture[i, j] = max(min(bottom + 0.5, i + 1) - max(top - 0.5, i), 0)
            else:
                picture[i, j] = math.floor(top) <= i <= math.floor(bottom)
    return coloured(picture, s.channels)
