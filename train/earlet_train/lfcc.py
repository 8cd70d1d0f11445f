"""Linear frequency cepstral coefficients as the ASVspoof 2019 baseline defines them."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from earlet.windows import Waveform

Floats = NDArray[np.float32]

N_FFT, FILTERS, WINDOW_S, HOP_S = 512, 20, 0.020, 0.010


def lfcc(waveform: Waveform, *, sample_rate_hz: int) -> Floats:
    """Waveform [T] -> features [N, 60]: 20 coefficients, their slopes, the slopes' slopes.

    Frames of 20 ms every 10 ms, DFT of 512, 20 triangular filters evenly spaced from 0 to half
    the rate, log10 of their energy, orthonormal DCT-II with its 0th coefficient kept. A slope is
    x[n + 1] - x[n - 1], the edges repeated. Source: the LFCC baseline of Todisco et al., ASVspoof
    2019 (pre-emphasis 0.97, Hamming window). A waveform shorter than one frame gives N = 0.
    """
    length, hop = round(WINDOW_S * sample_rate_hz), round(HOP_S * sample_rate_hz)
    x = np.append(waveform[:1], waveform[1:] - np.float32(0.97) * waveform[:-1])
    if len(x) < length:
        return np.zeros((0, 3 * FILTERS), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(x, length)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hamming(length), N_FFT)) ** 2
    filters, dct = matrices(sample_rate_hz)
    energy = np.log10(np.maximum(power @ filters, 1e-10))
    static = energy @ dct
    slope = delta(static)
    return np.concatenate([static, slope, delta(slope)], axis=1).astype(np.float32)


def delta(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, D] -> x[n + 1] - x[n - 1], edges repeated."""
    padded = np.pad(x, ((1, 1), (0, 0)), mode="edge")
    difference: NDArray[np.float64] = padded[2:] - padded[:-2]
    return difference


@cache
def matrices(sample_rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Filterbank [N_FFT // 2 + 1, FILTERS] and DCT [FILTERS, FILTERS], both from torchaudio."""
    from torchaudio.functional import create_dct, linear_fbanks

    filters = linear_fbanks(
        n_freqs=N_FFT // 2 + 1,
        f_min=0.0,
        f_max=sample_rate_hz / 2,
        n_filter=FILTERS,
        sample_rate=sample_rate_hz,
    )
    dct = create_dct(n_mfcc=FILTERS, n_mels=FILTERS, norm="ortho")
    return filters.to(torch.float64).numpy(), dct.to(torch.float64).numpy()
