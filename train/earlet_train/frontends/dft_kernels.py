"""The constant matrices behind the written-out transform, computed in float64 before export.

All take the window of a frame, `taper` [w], and the length n_fft >= w of the transform: a frame
shorter than n_fft counts as followed by zeros. Where in n_fft the samples stand turns the phase of
a bin, never its power, so each form may choose.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def matmul_kernels(taper: Floats, n_fft: int, bins: int) -> dict[str, Floats]:
    """-> windowed cosines over negative sines, [2 * bins, w]."""
    cosine, sine = fourier_rows(np.arange(bins), np.arange(len(taper)), n_fft)
    return {"basis": np.concatenate([cosine * taper, sine * taper])}


def folded_kernels(taper: Floats, n_fft: int, bins: int) -> dict[str, Floats]:
    """-> the window, cosines and sines [bins, w / 2] over its first half, counted from its middle.

    The middle of an even window lies between two samples, hence steps of half a sample: n and
    w - 1 - n meet the same cosine and opposite sines.
    """
    w = len(taper)
    half_steps = 2 * np.arange(w // 2) - (w - 1)
    cosine, sine = fourier_rows(np.arange(bins), half_steps, 2 * n_fft)
    return {"taper": taper, "cosine": cosine, "sine": sine}


def factored_kernels(taper: Floats, n1: int, n2: int, bins: int) -> dict[str, Floats]:
    """-> inner convolution, outer matrices and the order of their bins, for n_fft = n1 * n2.

    A window shorter than n_fft needs only the taps that it reaches, ceil(w / n2) instead of n1.
    """
    n = n1 * n2
    taps = -(-len(taper) // n2)
    between = np.arange(1, n1 // 2)
    cosine, sine = fourier_rows(np.arange(n1 // 2 + 1), np.arange(taps), n1)
    # Real and imaginary part of a k1 side by side: laid out so, the outer matrices can take them
    # as they come. k1 = 0 and k1 = n1 / 2 are real, and make up the first such pair.
    pairs = np.stack([cosine[between], sine[between]], axis=1).reshape(-1, taps)
    rows = np.concatenate([cosine[[0, n1 // 2]], pairs])
    whole = np.pad(taper, (0, taps * n2 - len(taper)))
    inner = whole.reshape(taps, n2).T[:, None, :] * rows[None]  # [N2, N1 rows, taps]
    # The pair of the two real ones has n2 + 1 bins, every other one n2: those get a row of zeros
    # more, so that one product makes them all.
    ends = [n1 * np.arange(n2 // 2 + 1), n1 // 2 + n1 * np.arange(n2 // 2)]
    outer = np.zeros((n1 // 2, 2, n2 + 1, 2, n2))
    for half, k in enumerate(ends):
        at = slice(0, len(k)) if half == 0 else slice(n2 + 1 - len(k), n2 + 1)
        outer[0, :, at, half] = fourier_rows(k, np.arange(n2), n)
    of_row = np.full((n1 // 2, n2 + 1), n)  # n: no bin
    of_row[0] = np.concatenate(ends)
    for k1 in between:
        k = k1 + n1 * np.arange(n2)
        real, imaginary = fourier_rows(k, np.arange(n2), n)
        outer[k1, 0, :n2] = np.stack([real, -imaginary], axis=1)
        outer[k1, 1, :n2] = np.stack([imaginary, real], axis=1)
        of_row[k1, :n2] = np.minimum(k, n - k)
    return {
        "inner": inner.reshape(n, 1, taps),
        "outer": outer.reshape(n1 // 2, 2 * (n2 + 1), 2 * n2),
        "order": np.argsort(of_row.ravel(), kind="stable")[:bins],
    }


def fourier_rows(
    bins: NDArray[np.int64], samples: NDArray[np.int64], n_fft: int
) -> tuple[Floats, Floats]:
    """Bins [K], samples [n] -> cosines and negative sines of 2 pi k n / n_fft, [K, n] each.

    k*n is reduced modulo n_fft in integers: an angle of thousands of turns would lose digits.
    """
    angle = 2 * math.pi / n_fft * (np.outer(bins, samples) % n_fft)
    return np.cos(angle), -np.sin(angle)
