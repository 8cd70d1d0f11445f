"""The filters of RawNet2 and AASIST by scipy's window method and librosa's mel scale, float64."""

import itertools

import librosa
import numpy as np
import scipy.signal
from numpy.typing import NDArray

from earlet_train.frontends.sinc import SincSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: SincSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [1, filters // pool, (T - taps + 1) // pool]."""
    s, nyquist_hz = settings, sample_rate_hz / 2
    edges_hz = librosa.mel_frequencies(s.filters + 1, fmin=0.0, fmax=nyquist_hz, htk=True)
    low_passes = [low_pass(hertz / nyquist_hz, s.taps) for hertz in edges_hz]
    bands = [
        np.abs(scipy.signal.oaconvolve(waveform, above - below, mode="valid"))
        for below, above in itertools.pairwise(low_passes)
    ]
    rows, columns = s.filters // s.pool, len(bands[0]) // s.pool
    picture = np.stack(bands)[: rows * s.pool, : columns * s.pool]
    blocks = picture.reshape(rows, s.pool, columns, s.pool)
    highest: Floats = blocks.max(axis=(1, 3))
    return highest[None]


def low_pass(edge: float, taps: int) -> Floats:
    """Edge as a share of the Nyquist frequency -> impulse response [taps], not scaled to gain 1."""
    if edge <= 1e-12:
        return np.zeros(taps)
    if edge >= 1 - 1e-12:  # everything passes
        return np.asarray(scipy.signal.unit_impulse(taps, "mid"))
    return np.asarray(scipy.signal.firwin(taps, edge, window="hamming", scale=False))
