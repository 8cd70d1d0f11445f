"""Slower or faster without another pitch, and another pitch without slower or faster."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRAME_SAMPLES = 480  # 30 ms: two periods of the lowest voice
HOP_SAMPLES = 240
SEARCH_SAMPLES = 128  # +-8 ms: one period of a 125 Hz voice


def stretched(waveform: Array, factor: float) -> Array:
    """Waveform [T], 16 kHz -> [T * factor] by waveform-similarity overlap-add.

    Verhelst and Roelands 1993 (WSOLA): each frame is taken from where it best continues the last.
    """
    samples = round(len(waveform) * factor)
    count = samples // HOP_SAMPLES + 2
    before = FRAME_SAMPLES + SEARCH_SAMPLES
    x = np.pad(waveform, (before, before + 2 * FRAME_SAMPLES))
    window = np.hanning(FRAME_SAMPLES + 1)[:-1]
    out = np.zeros(count * HOP_SAMPLES + FRAME_SAMPLES)
    last = before - HOP_SAMPLES
    for n in range(count):
        ideal = before - HOP_SAMPLES + round(n * HOP_SAMPLES / factor)
        ideal = min(ideal, len(x) - FRAME_SAMPLES - SEARCH_SAMPLES)
        wanted = x[last + HOP_SAMPLES : last + HOP_SAMPLES + FRAME_SAMPLES]
        if len(wanted) == FRAME_SAMPLES and n > 0:
            around = x[ideal - SEARCH_SAMPLES : ideal + SEARCH_SAMPLES + FRAME_SAMPLES]
            match = np.correlate(around, wanted, "valid")
            power = np.convolve(around**2, np.ones(FRAME_SAMPLES), "valid")
            last = ideal - SEARCH_SAMPLES + int(np.argmax(match / np.sqrt(power + 1e-9)))
        else:
            last = ideal
        out[n * HOP_SAMPLES : n * HOP_SAMPLES + FRAME_SAMPLES] += (
            window * x[last : last + FRAME_SAMPLES]
        )
    return out[HOP_SAMPLES : HOP_SAMPLES + samples]


def played_faster(waveform: Array, factor: float) -> Array:
    """Waveform [T] -> [T / factor] with pitch and formants `factor` times as high, like a tape."""
    from scipy.signal import resample_poly

    ratio = Fraction(1 / factor).limit_denominator(200)
    return np.asarray(resample_poly(waveform, ratio.numerator, ratio.denominator))


def repitched(waveform: Array, factor: float) -> Array:
    """Waveform [T] -> [T] at `factor` times the pitch and formants: stretched, then faster."""
    faster = played_faster(stretched(waveform, factor), factor)
    out = np.zeros(len(waveform))
    out[: len(faster)] = faster[: len(out)]
    return out
