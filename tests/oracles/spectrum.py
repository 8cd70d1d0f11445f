"""The power spectrum of frames by its definition: numpy's FFT of one frame after the other."""

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from earlet_train.frontends.dft import Centre
from earlet_train.frontends.windows import Sampling, Window

Floats = NDArray[np.float64]


def power_spectrum(
    waveform: Floats,
    *,
    n_fft: int,
    hop_samples: int,
    window_samples: int = 0,
    window: Window = "hann",
    sampling: Sampling = "periodic",
    centre: Centre = "none",
) -> Floats:
    """Waveform [T] -> |X|^2 [n_fft // 2 + 1, N]."""
    length = window_samples or n_fft
    return power_of_frames(
        waveform,
        taper(window, length, sampling),
        n_fft=n_fft,
        hop_samples=hop_samples,
        centre=centre,
    )


def taper(window: Window, length: int, sampling: Sampling) -> Floats:
    """-> window [length], scipy's."""
    if window == "povey":
        return taper("hann", length, sampling) ** 0.85
    name = "boxcar" if window == "rectangular" else window
    values: Floats = scipy.signal.get_window(name, length, fftbins=sampling == "periodic")
    return values


def power_of_frames(
    waveform: Floats, weights: Floats, *, n_fft: int, hop_samples: int, centre: Centre
) -> Floats:
    """Waveform [T], window [w] -> |X|^2 [n_fft // 2 + 1, N]."""
    x, frame, half = np.asarray(waveform, dtype=np.float64), len(weights), n_fft // 2
    if centre in ("reflect", "zero"):
        # Frames of n_fft samples around sample i * hop, with the window in their middle.
        left = (n_fft - frame) // 2
        weights, frame = np.pad(weights, (left, n_fft - frame - left)), n_fft
        x = np.pad(x, half, mode="reflect") if centre == "reflect" else np.pad(x, half)
    elif centre == "causal":
        # A second of nothing before, of which each frame cuts out what it reaches.
        x = np.pad(x, (16_000, 0))[16_000 + hop_samples - frame :]
    starts = range(0, len(x) - frame + 1, hop_samples)
    spectra = [np.fft.rfft(x[start : start + frame] * weights, n_fft) for start in starts]
    power: Floats = np.abs(np.stack(spectra, axis=1)) ** 2
    return power
