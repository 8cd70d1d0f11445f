"""Linear prediction, many frames at once: all-pole envelopes and filters that change over time."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 100  # a quarter: Hann windows then add up to 2 everywhere
N_FFT = 1_024
TAIL_SAMPLES = 240  # how long a frame's filter may ring on


def framed(waveform: Array) -> Array:
    """Waveform [T] -> Hann-windowed frames [N, 400]; `overlap_added` puts them back together."""
    padded = np.pad(waveform, (FRAME_SAMPLES, 2 * FRAME_SAMPLES))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME_SAMPLES)[::HOP_SAMPLES]
    return np.asarray(frames * np.hanning(FRAME_SAMPLES + 1)[:-1])


def overlap_added(frames: Array, *, samples: int) -> Array:
    """Frames [N, 400 or longer] -> waveform [samples], at the places `framed` took them from."""
    length = frames.shape[1]
    whole = np.zeros((len(frames) - 1) * HOP_SAMPLES + length)
    for index, frame in enumerate(frames):
        whole[index * HOP_SAMPLES : index * HOP_SAMPLES + length] += frame
    gain = FRAME_SAMPLES / (2 * HOP_SAMPLES)
    return whole[FRAME_SAMPLES : FRAME_SAMPLES + samples] / gain


def predictors(frames: Array, *, order: int) -> tuple[Array, Array]:
    """Windowed frames [N, L] -> coefficients [N, order + 1], first 1, and residual power [N].

    Autocorrelation method with a noise floor of -50 dB, so that every filter is stable.
    """
    n_fft = 2 ** int(np.ceil(np.log2(2 * frames.shape[1])))
    power = np.abs(np.fft.rfft(frames, n_fft)) ** 2
    return levinson(np.fft.irfft(power)[:, : order + 1])


def levinson(correlation: Array) -> tuple[Array, Array]:
    """Autocorrelations [N, order + 1] -> coefficients [N, order + 1] and residual power [N].

    Levinson-Durbin recursion (Makhoul 1975, equations 38a to 38e), all frames in step.
    """
    r = correlation.copy()
    r[:, 0] = r[:, 0] * (1 + 1e-5) + 1e-10
    count, length = r.shape
    a = np.zeros((count, length))
    a[:, 0] = 1.0
    error = r[:, 0].copy()
    for step in range(1, length):
        reflection = -np.sum(a[:, :step] * r[:, step:0:-1], axis=1) / error
        a[:, 1 : step + 1] += reflection[:, None] * a[:, step - 1 :: -1][:, :step]
        error *= 1 - reflection**2
    return a, error


def warped_predictors(
    coefficients: Array, power: Array, warp: Array | float
) -> tuple[Array, Array]:
    """All-pole envelopes [N, order + 1], [N] with formants `warp` times as high, same form.

    The envelope's power spectrum is read at f / warp, turned back into autocorrelations and
    predicted anew.
    """
    spectrum = power[:, None] / np.abs(np.fft.rfft(coefficients, N_FFT)) ** 2
    place = np.arange(spectrum.shape[1]) / warp
    low = np.minimum(place.astype(np.int64), spectrum.shape[1] - 2)
    share = np.clip(place - low, 0.0, 1.0)
    logs = np.log(spectrum)
    moved = np.exp(logs[:, low] * (1 - share) + logs[:, low + 1] * share)
    return levinson(np.fft.irfft(moved)[:, : coefficients.shape[1]])


def filtered(frames: Array, *, zeros: Array | None, poles: Array | None) -> Array:
    """Frames [N, L], filters [N, K] each -> frames [N, L + tail], each through its own filter."""
    from scipy.signal import lfilter

    padded = np.pad(frames, ((0, 0), (0, TAIL_SAMPLES)))
    return np.stack(
        [
            lfilter(
                [1.0] if zeros is None else zeros[n], [1.0] if poles is None else poles[n], frame
            )
            for n, frame in enumerate(padded)
        ]
    )
