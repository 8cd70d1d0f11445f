"""The log spectrum of the Res2Net family by the published lines, in float64."""

import math

import numpy as np
import scipy.signal
from numpy.typing import NDArray
from oracles.spectrum import power_spectrum

from earlet_train.frontends.log_power import LogPowerSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: LogPowerSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [1, bins, frames]; the rate plays no part."""
    s = settings
    power = power_spectrum(
        scipy.signal.lfilter([1, -s.pre_emphasis], [1], waveform),
        n_fft=s.n_fft,
        hop_samples=s.hop_samples,
        window_samples=s.window_samples,
        window=s.window,
        centre=s.centre,
    )
    measured = np.sqrt(power) if s.of == "magnitude" else power
    logs = np.log(measured[: s.bins or len(measured)] + math.exp(s.floor_ln))
    if s.frames:
        logs = np.tile(logs, math.ceil(s.frames / logs.shape[1]))[:, : s.frames]
    return logs[None]
