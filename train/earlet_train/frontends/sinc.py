"""A bank of fixed band-pass filters on the waveform itself, as RawNet2 and AASIST begin.

Each filter is the difference of two low-passes (a sinc each) under a Hamming window; their borders
divide the band evenly on the mel scale. What comes out is rectified and thinned by a max pool over
three filters and three samples: a picture with thousands of frames per second.

Tak, Jung et al., "AASIST: audio anti-spoofing using integrated spectro-temporal graph attention
networks", ICASSP 2022 (arXiv 2110.01200), and the code published with it, whose filters never
learn. Written from the description.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet_train.frontends.frontend import Frontend
from earlet_train.ranges import Count


@dataclass(frozen=True, kw_only=True)
class SincSettings:
    """`taps`: length of each filter, odd; `pool`: filters and samples per value of the picture.

    The published setting says 128 taps, which its code makes 129.
    """

    filters: Count = 70
    taps: Count = 129
    pool: Count = 3

    def __post_init__(self) -> None:
        if self.taps % 2 == 0:
            raise ValueError(f"taps must be odd, so that a filter has a middle; found {self.taps}")
        if self.pool > self.filters:
            raise ValueError(f"pool must be at most filters ({self.filters}), found {self.pool}")


class Sinc(Frontend):
    """Waveform [B, T] -> [B, 1, filters // pool, (T - taps + 1) // pool], >= 0. Not padded.

    Raises ValueError for windows shorter than one value of the picture needs.
    """

    Settings = SincSettings

    def __init__(self, settings: SincSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.reach = settings.taps + settings.pool - 1
        kernels = band_passes(settings.filters, settings.taps, sample_rate_hz)
        self.register_buffer("kernels", torch.from_numpy(kernels)[:, None], persistent=False)
        self.pool = nn.MaxPool2d(settings.pool)

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> features [B, 1, F, N]."""
        if waveform.shape[1] < self.reach:
            raise ValueError(
                f"found a window of {waveform.shape[1]} samples, expected at least {self.reach}: "
                "taps and pool of [frontend]"
            )
        kernels = self.get_buffer("kernels")
        bands = nn.functional.conv1d(waveform[:, None], kernels)
        pooled: Tensor = self.pool(bands.abs()[:, None])
        return pooled

    def why_not_streaming(self) -> str:
        """Nothing: short filters and a pool."""
        return ""


def band_passes(filters: int, taps: int, sample_rate_hz: int) -> NDArray[np.float32]:
    """-> [filters, taps], the impulse responses, by rising frequency from 0 Hz to half the rate."""
    highest_mel = 2595 * np.log10(1 + sample_rate_hz / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, highest_mel, filters + 1) / 2595) - 1)
    time = np.arange(taps) - (taps - 1) / 2
    cycles = 2 * edges_hz[:, None] / sample_rate_hz
    low_passes = cycles * np.sinc(cycles * time)
    responses = np.hamming(taps) * (low_passes[1:] - low_passes[:-1])
    return responses.astype(np.float32)
