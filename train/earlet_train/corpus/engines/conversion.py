"""What a conversion makes of a voice: another pitch and size, but no narrower a band."""

from dataclasses import dataclass

import numpy as np

from earlet_train.corpus.engine import Samples
from earlet_train.corpus.pitch import pitch_hz

SAMPLE_RATE_HZ = 16_000
MIDDLE_HZ = 165.0  # between men's and women's median pitch
SEMITONES = (2.0, 5.0)
TRACT = (1.06, 1.17)


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """Factors on pitch and on formant frequencies, both above 1 or both below."""

    pitch: float
    formants: float


def top_band_restored(made: Samples, original: Samples, *, factor: float) -> Samples:
    """Waveforms [T], [T], 16 kHz -> [T]: what a downward move left empty comes from the original.

    A voice played at 0.85 of its frequencies ends at 6.8 kHz: no speaker sounds so, and any
    detector would see it. `factor`: of the move; 1 and more leave nothing empty.
    """
    from scipy.signal import fftconvolve, firwin

    if factor >= 1:
        return made
    length = min(len(made), len(original))
    low = firwin(255, 0.96 * factor * SAMPLE_RATE_HZ / 2, fs=SAMPLE_RATE_HZ)
    high = -low
    high[127] += 1.0
    kept = fftconvolve(made[:length], low, "same") + fftconvolve(original[:length], high, "same")
    return np.asarray(kept, np.float32)


def draw_conversion(waveform: Samples, rng: np.random.Generator) -> Conversion:
    """Waveform [T], 16 kHz -> a conversion, in four of five cases towards the other sex."""
    f0_hz = pitch_hz(waveform)
    is_low = bool(np.any(f0_hz > 0)) and float(np.median(f0_hz[f0_hz > 0])) < MIDDLE_HZ
    towards_other = rng.uniform() < 0.8
    semitones, tract = rng.uniform(*SEMITONES), rng.uniform(*TRACT)
    sign = 1 if is_low == towards_other else -1
    return Conversion(pitch=2 ** (sign * semitones / 12), formants=tract**sign)
