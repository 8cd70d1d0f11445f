"""CQCC by its definition: float64, numpy's FFT, one band after the other, nothing collapsed."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.interpolate import CubicSpline

from earlet_train.frontends.cqcc import CqccSettings

Floats = NDArray[np.float64]


def oracle(waveform: Floats, settings: CqccSettings, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> [1, 3 * coefficients, N]. Sources: Schoerkhuber et al. 2014 (transform),
    Todisco et al. 2016 (cepstrum), the HTK Book (slopes)."""
    frequency_hz, transform = constant_q(waveform, settings, sample_rate_hz)
    logs = np.log(np.abs(transform) ** 2 + settings.floor)
    step_hz = frequency_hz[0] * (
        2 ** (np.log2(1 + 1 / settings.first_octave_points)) - 1
    )  # so many steps end the first octave
    grid_hz = np.arange(frequency_hz[0], frequency_hz[-1], step_hz)
    even = CubicSpline(frequency_hz, logs)(grid_hz)
    cepstra = dct(even, norm="ortho", axis=0)[: settings.coefficients]
    slopes = htk_slopes(cepstra, settings.delta_reach)
    bends = htk_slopes(slopes, settings.delta_reach)
    return np.concatenate([cepstra, slopes, bends])[None]


def constant_q(
    waveform: Floats, settings: CqccSettings, sample_rate_hz: int
) -> tuple[Floats, NDArray[np.complex128]]:
    """Waveform [T] -> centre frequencies [bands] in Hz, coefficients [bands, N]."""
    samples, nyquist_hz = len(waveform), sample_rate_hz / 2
    per_octave = settings.bands_per_octave
    quality = 2 ** (1 / per_octave) - 2 ** (-1 / per_octave)
    frequencies, widths = [], []
    for step in range(per_octave * settings.octaves + 1):
        f = nyquist_hz / 2**settings.octaves * 2 ** (step / per_octave)
        width = quality * f + settings.offset_hz * quality
        if f - width / 2 >= 0 and f + width / 2 <= nyquist_hz:
            frequencies.append(f)
            widths.append(max(4, round(width * samples / sample_rate_hz)))
    frames = widths[-1]
    spectrum = np.fft.fft(waveform)
    rows = []
    for f, width in zip(frequencies, widths, strict=True):
        centre = int(f * samples / sample_rate_hz)
        offsets = np.arange(-(width // 2), width - width // 2)
        hann = 0.5 + 0.5 * np.cos(2 * np.pi * offsets / width)
        # A band is moved to frequency 0 with negative offsets at the end, as an inverse FFT wants.
        band = np.zeros(frames, dtype=complex)
        band[offsets % frames] = spectrum[centre + offsets] * hann * (2 * frames / samples)
        rows.append(np.fft.ifft(band))
    return np.array(frequencies), np.array(rows)


def htk_slopes(x: Floats, reach: int) -> Floats:
    """[F, N] -> [F, N]: sum_k k (x[n + k] - x[n - k]) / (2 sum k^2), the edge frames repeated."""
    last = x.shape[1] - 1
    n = np.arange(last + 1)
    total = np.zeros_like(x)
    for k in range(1, reach + 1):
        total += k * (x[:, np.minimum(n + k, last)] - x[:, np.maximum(n - k, 0)])
    return total / (2 * sum(k * k for k in range(1, reach + 1)))
