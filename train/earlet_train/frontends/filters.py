"""The constant matrices between a power spectrum and cepstra: triangular filters, cosine transform.

All from torchaudio, transposed so that they stand on the left of [B, bins, N].
"""

import warnings
from typing import Literal

from torch import Tensor

MelScale = Literal["slaney", "htk"]
MelNorm = Literal["slaney", "none"]


def mel_filters(
    *,
    n_fft: int,
    sample_rate_hz: int,
    mels: int,
    low_hz: float,
    high_hz: float,
    scale: MelScale,
    norm: MelNorm,
) -> Tensor:
    """-> triangles [mels, n_fft // 2 + 1], evenly spaced in mel from `low_hz` to `high_hz`.

    `scale`: Slaney's (linear below 1 kHz, librosa's default) or HTK's formula. `norm`: `slaney`
    gives every triangle the same area, `none` the same height. Raises ValueError where a filter
    falls between two bins.
    """
    from torchaudio.functional import melscale_fbanks

    check_band(low_hz, high_hz, sample_rate_hz)
    with warnings.catch_warnings():
        # Its warning about empty filters is an error here.
        warnings.simplefilter("ignore", UserWarning)
        filters: Tensor = melscale_fbanks(
            n_freqs=n_fft // 2 + 1,
            f_min=low_hz,
            f_max=high_hz,
            n_mels=mels,
            sample_rate=sample_rate_hz,
            norm=None if norm == "none" else norm,
            mel_scale=scale,
        )
    return without_empty(filters.T.contiguous(), n_fft)


def linear_filters(
    *, n_fft: int, sample_rate_hz: int, filters: int, low_hz: float, high_hz: float
) -> Tensor:
    """-> triangles of height 1 [filters, n_fft // 2 + 1], evenly spaced in Hz."""
    from torchaudio.functional import linear_fbanks

    check_band(low_hz, high_hz, sample_rate_hz)
    triangles: Tensor = linear_fbanks(
        n_freqs=n_fft // 2 + 1,
        f_min=low_hz,
        f_max=high_hz,
        n_filter=filters,
        sample_rate=sample_rate_hz,
    )
    return without_empty(triangles.T.contiguous(), n_fft)


def cosine_transform(*, coefficients: int, values: int) -> Tensor:
    """-> the first rows of the orthonormal DCT-II [coefficients, values]."""
    from torchaudio.functional import create_dct

    if coefficients > values:
        raise ValueError(f"{values} filters give at most as many coefficients, not {coefficients}")
    rows: Tensor = create_dct(n_mfcc=coefficients, n_mels=values, norm="ortho")
    return rows.T.contiguous()


def bins_reached(filters: Tensor) -> int:
    """Filters [F, bins] -> how many bins from 0 Hz on have a weight in any of them."""
    return int(filters.ne(0).any(dim=0).nonzero().max()) + 1


def check_band(low_hz: float, high_hz: float, sample_rate_hz: int) -> None:
    """Raises ValueError for a band that is no part of the spectrum."""
    if not 0 <= low_hz < high_hz <= sample_rate_hz / 2:
        raise ValueError(
            f"filters from {low_hz:g} to {high_hz:g} Hz do not fit a rate of {sample_rate_hz} Hz: "
            f"choose 0 <= low_hz < high_hz <= {sample_rate_hz / 2:g}"
        )


def without_empty(filters: Tensor, n_fft: int) -> Tensor:
    """Filters [F, bins], unchanged. Raises ValueError where one has no weight at all."""
    empty = int((filters.amax(dim=1) <= 0).sum())
    if empty:
        raise ValueError(
            f"{empty} of {len(filters)} filters fall between two bins of n_fft {n_fft}: ask for "
            "fewer filters or a longer n_fft"
        )
    return filters
