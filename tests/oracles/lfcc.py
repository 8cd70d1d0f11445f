"""LFCC line by line as the two published baselines compute it, in float64."""

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray
from oracles.spectrum import power_spectrum

from earlet_train.frontends.lfcc import LfccSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: LfccSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [1, (1 + slopes) * coefficients, N].

    Energies below the floor are raised to it; the public code of 2021 adds it instead.
    """
    s, recent = settings, settings.definition == "2021"
    n_fft = 1024 if recent else 512
    floor = s.floor or (float(np.finfo(np.float32).eps) if recent else 1e-10)
    default_centre = "zero" if recent else "none"
    power = power_spectrum(
        scipy.signal.lfilter([1, -0.97], [1], waveform),
        n_fft=n_fft,
        hop_samples=round(0.010 * sample_rate_hz),
        window_samples=round(0.020 * sample_rate_hz),
        window="hamming",
        sampling="periodic" if recent else "symmetric",
        centre=default_centre if s.centre == "published" else s.centre,  # type: ignore[arg-type]
    )
    frequency_hz = np.arange(n_fft // 2 + 1) * sample_rate_hz / n_fft
    if s.high_hz:
        kept = frequency_hz <= s.high_hz + 1e-6
    else:
        kept = np.arange(n_fft // 2 + 1) < (int(0.5 * (n_fft // 2 + 1)) if recent else n_fft)
    power, frequency_hz = power[kept], frequency_hz[kept]
    edges_hz = np.linspace(0, s.high_hz or frequency_hz[-1], s.filters + 2)
    filters = np.array([triangle(frequency_hz, *edges_hz[i : i + 3]) for i in range(s.filters)])
    logs = np.log10(np.maximum(filters @ power, floor))
    cepstra = scipy.fft.dct(logs, type=2, norm="ortho", axis=0)[: s.coefficients]
    if recent:
        cepstra[0] = np.log10(np.maximum(power.sum(axis=0) / n_fft, floor))
    parts = [cepstra]
    for _ in range(s.slopes):
        parts.append(slope(parts[-1]))
    if s.slope_edges == "valid" and s.slopes:
        # Repeated edges reach inwards by one frame with each order.
        parts = [part[:, s.slopes : -s.slopes] for part in parts]
    return np.concatenate(parts)[None]


def triangle(f: Floats, low: float, middle: float, high: float) -> Floats:
    """MATLAB's trimf: 0 outside low..high, 1 in the middle."""
    values: Floats = np.interp(f, [low, middle, high], [0.0, 1.0, 0.0])
    return values


def slope(x: Floats) -> Floats:
    """[F, N] -> x[n + 1] - x[n - 1], the edges repeated."""
    padded = np.pad(x, ((0, 0), (1, 1)), mode="edge")
    difference: Floats = padded[:, 2:] - padded[:, :-2]
    return difference
