"""The cosine-modulated Gaussian filterbank by its definition: float64, frame after frame."""

import math

import numpy as np
from numpy.typing import NDArray

from earlet_train.frontends.cosine_gauss import CosineGaussSettings

Floats = NDArray[np.float64]


def oracle(
    waveform: Floats,
    settings: CosineGaussSettings,
    sample_rate_hz: int,
    scalars: Floats | None = None,
) -> Floats:
    """Waveform [T], trained scalars [F] -> [1, F, N].

    Without scalars: those of an untrained module, where `start` draws nothing.
    """
    s = settings
    if scalars is None:
        scalars = untrained(s, sample_rate_hz)
    filters = np.stack([one_filter(a, s) for a in sorted(scalars)])
    x = np.asarray(waveform, dtype=np.float64)
    if s.peak_normalise:
        x = x / (np.abs(x).max() + 1e-4)
    if s.centre == "reflect":
        x = np.pad(x, s.frame_samples // 2, mode="reflect")
    columns = []
    for begin in range(0, len(x) - s.frame_samples + 1, s.hop_samples):
        frame = x[begin : begin + s.frame_samples] * np.hamming(s.frame_samples)
        # Every place where the whole filter lies in the frame, times the filter.
        places = np.lib.stride_tricks.sliding_window_view(frame, s.taps)
        columns.append(np.log(((places @ filters.T) ** 2).mean(axis=0) + s.floor))
    return np.stack(columns, axis=1)[None]


def one_filter(a: float, s: CosineGaussSettings) -> Floats:
    """Scalar -> filter [taps], as the published code writes it."""
    n = np.arange(-(s.taps // 2), s.taps // 2 + 1)
    width = s.beta / sigmoid(a + 1e-3)
    shape: Floats = np.cos(np.pi * sigmoid(a) * n) * np.exp(-(n**2) / (2 * (width**2 + 1e-5)))
    return shape


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def untrained(s: CosineGaussSettings, sample_rate_hz: int) -> Floats:
    """-> scalars [F] whose centres are evenly spaced in mel or in Hz."""
    nyquist_hz = sample_rate_hz / 2
    low_hz, high_hz = s.low_hz, s.high_hz or nyquist_hz
    if s.start == "mel":
        low_mel, high_mel = (2595 * np.log10(1 + hz / 700) for hz in (low_hz, high_hz))
        ends = np.linspace(low_mel, high_mel, s.filters + 2)
        centres_hz = 700 * (10 ** (ends[1:-1] / 2595) - 1)
    elif s.start == "linear":
        centres_hz = np.linspace(low_hz, high_hz, s.filters + 2)[1:-1]
    else:
        raise ValueError(f"start = {s.start!r} is drawn at random: give the scalars")
    share = centres_hz / nyquist_hz
    scalars: Floats = np.log(share / (1 - share))
    return scalars
