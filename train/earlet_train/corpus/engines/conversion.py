"""What a conversion makes of a voice: how much higher or lower, how much smaller or larger."""

from dataclasses import dataclass

import numpy as np

from earlet_train.corpus.engine import Samples
from earlet_train.corpus.pitch import pitch_hz

MIDDLE_HZ = 165.0  # between men's and women's median pitch
SEMITONES = (2.0, 5.0)
TRACT = (1.06, 1.17)


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """Factors on pitch and on formant frequencies, both above 1 or both below."""

    pitch: float
    formants: float


def draw_conversion(waveform: Samples, rng: np.random.Generator) -> Conversion:
    """Waveform [T], 16 kHz -> a conversion, in four of five cases towards the other sex."""
    f0_hz = pitch_hz(waveform)
    is_low = bool(np.any(f0_hz > 0)) and float(np.median(f0_hz[f0_hz > 0])) < MIDDLE_HZ
    towards_other = rng.uniform() < 0.8
    semitones, tract = rng.uniform(*SEMITONES), rng.uniform(*TRACT)
    sign = 1 if is_low == towards_other else -1
    return Conversion(pitch=2 ** (sign * semitones / 12), formants=tract**sign)
