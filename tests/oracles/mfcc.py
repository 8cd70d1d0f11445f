"""MFCC and slopes by librosa's and scipy's own functions, in float64."""

import librosa
import numpy as np
from numpy.typing import NDArray
from oracles import log_mel
from scipy.signal import savgol_filter

from earlet_train.frontends.mfcc import MfccSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: MfccSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [1, (1 + slopes) * coefficients, N]."""
    s = settings
    # Our frontend raises peaks below 1e-5 by no more than 100,000; librosa raises any.
    if s.peak_normalise:
        waveform = librosa.util.normalize(waveform)
    mels = log_mel.oracle(waveform, s.log_mel, sample_rate_hz)[0]
    parts = [librosa.feature.mfcc(S=mels, n_mfcc=s.coefficients, dct_type=2, norm="ortho")]
    for _ in range(s.slopes):
        parts.append(
            savgol_filter(parts[-1], s.slope_width, polyorder=1, deriv=1, axis=-1, mode="interp")
        )
    return np.concatenate(parts)[None]
