"""The constant-Q transform of a clip: power in bins that are spaced as the octaves are.

Not a bank of long filters but a nonstationary Gabor transform (Velasco, Holighaus, Doerfler, Grill,
DAFx 2011; with the bandwidth offset: Schoerkhuber, Klapuri, Holighaus, Doerfler, AES 53, 2014): the
spectrum X of the whole clip (N samples) is cut into overlapping bands around centres c_b, each
tapered by a Hann window w_b, and each band goes back to time at the same M instants,

    y_b[t] = 2/N * sum_m w_b[m] X[c_b + m] e^(2 pi i m t / M),   |m| <= half width of band b,

so that a sine of amplitude A gives |y| = A. M is the width of the widest band ("full
rasterization"). The phase that a band's place in the spectrum adds is left out: only |y|^2 is kept.

In matrix products: cos is even and sin is odd in m, so X[c_b + m] and X[c_b - m] are added and
subtracted before a matrix of half the size; and they are even and odd in t, so that one product
serves both t and M - t. A quarter of the definition's multiplications is left. Bands of similar
width share one product.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet_train.frontends.clip_spectrum import ClipSpectrum, waves

# Bands per matrix product, an octave as published: fewer would save 5 % of the multiplications,
# where bands are padded to their group's widest, and double the nodes of the graph.
GROUP = 96
# The narrowest band of the published toolbox, in bins of the clip's spectrum.
NARROWEST = 4


@dataclass(frozen=True, kw_only=True)
class Bands:
    """Where the bands lie in the clip's spectrum: centre and width in bins, lowest first."""

    centres: tuple[int, ...]
    widths: tuple[int, ...]

    @property
    def instants(self) -> int:
        """M, the number of frames: the widest band's width."""
        return max(self.widths)


class ConstantQ(nn.Module):
    """Waveform [B, N] -> power [B, bands, M], where a full-scale sine in a band's middle gives 1.

    N must be `samples`: the bands are cut from the spectrum of a clip of that length.
    """

    def __init__(self, *, samples: int, bands: Bands) -> None:
        super().__init__()
        self.count, self.instants = len(bands.centres), bands.instants
        # Of an even width the outermost bin has weight 0: every band is symmetric.
        halves = np.array([math.ceil(width / 2) - 1 for width in bands.widths])
        self.spectrum = ClipSpectrum(
            samples=samples, highest_bin=int((np.array(bands.centres) + halves).max())
        )
        self.groups = [range(i, min(i + GROUP, self.count)) for i in range(0, self.count, GROUP)]
        self.reaches = [int(halves[group].max()) + 1 for group in self.groups]
        self._keep_bands(bands, halves, samples=samples)
        offsets, times = np.arange(max(self.reaches)), np.arange(self.instants // 2 + 1)
        cosine, sine = waves(np.outer(offsets, times), self.instants)
        self._keep("cosine", cosine)
        self._keep("sine", sine)

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, N] -> power [B, bands, M]."""
        spectrum = self.spectrum(waveform)
        above = spectrum.index_select(2, self.above) * self.weights
        below = spectrum.index_select(2, self.below) * self.weights
        even, odd = above + below, above - below  # [B, 2, all offsets of all bands]
        from_even, from_odd, start = [], [], 0
        for group, reach in zip(self.groups, self.reaches, strict=True):
            end = start + len(group) * reach
            shape = (-1, 2, len(group), reach)
            from_even.append(even[:, :, start:end].reshape(shape) @ self.cosine[:reach])
            from_odd.append(odd[:, :, start:end].reshape(shape) @ self.sine[:reach])
            start = end
        # [B, bands, half of the instants] each. sin turns over at M - t, cos does not.
        even_real, even_imaginary = torch.cat(from_even, dim=2).unbind(1)
        odd_real, odd_imaginary = torch.cat(from_odd, dim=2).unbind(1)
        early = (even_real - odd_imaginary).square() + (even_imaginary + odd_real).square()
        late = (even_real + odd_imaginary).square() + (even_imaginary - odd_real).square()
        return torch.cat([early, late[..., 1 : (self.instants + 1) // 2].flip(-1)], dim=-1)

    def _keep_bands(self, bands: Bands, halves: NDArray[np.int64], *, samples: int) -> None:
        above, below, weights = [], [], []
        for group, reach in zip(self.groups, self.reaches, strict=True):
            for band in group:
                offsets = np.arange(reach)
                inside = offsets <= halves[band]
                taper = 0.5 + 0.5 * np.cos(2 * math.pi * offsets / bands.widths[band])
                taper[0] = 0.5  # the centre is in both `above` and `below`
                above.append(bands.centres[band] + offsets * inside)
                below.append(bands.centres[band] - offsets * inside)
                weights.append(taper * inside * 2 / samples)
        self._keep("weights", np.concatenate(weights))
        for name, places in (("above", above), ("below", below)):
            place = torch.from_numpy(np.concatenate(places)).to(torch.int32)
            self.register_buffer(name, place, persistent=False)

    def _keep(self, name: str, values: NDArray[np.float64]) -> None:
        self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)

    above: Tensor
    below: Tensor
    weights: Tensor
    cosine: Tensor
    sine: Tensor


def constant_q_bands(
    *,
    samples: int,
    sample_rate_hz: int,
    bands_per_octave: int,
    octaves: int,
    offset_hz: float,
) -> Bands:
    """-> the bands of the `octaves` below the Nyquist frequency, as the published toolbox has them.

    Centres f are spaced evenly in log f; a band is Q * (f + offset_hz) wide, with Q = 2^(1/B) -
    2^(-1/B): from the centre below to the centre above where the offset is 0. Centres are rounded
    down to a bin, widths to the nearest. Bands that reach beyond 0 Hz or Nyquist are left out.
    Raises ValueError where none is left.
    """
    nyquist_hz, resolution_hz = sample_rate_hz / 2, sample_rate_hz / samples
    quality = 2 ** (1 / bands_per_octave) - 2 ** (-1 / bands_per_octave)
    steps = np.arange(bands_per_octave * octaves + 1)
    centre_hz = nyquist_hz * 2.0**-octaves * 2.0 ** (steps / bands_per_octave)
    width_hz = quality * (centre_hz + offset_hz)
    fits = (centre_hz + width_hz / 2 <= nyquist_hz) & (centre_hz - width_hz / 2 >= 0)
    centres = np.floor(centre_hz[fits] / resolution_hz).astype(int)
    widths = np.maximum(np.round(width_hz[fits] / resolution_hz).astype(int), NARROWEST)
    halves = np.ceil(widths / 2).astype(int) - 1
    if not fits.any() or (centres - halves < 0).any():
        raise ValueError(
            f"{octaves} octaves below {nyquist_hz:g} Hz reach down to "
            f"{nyquist_hz * 2.0**-octaves:g} Hz, where a clip of {samples} samples "
            f"({resolution_hz:g} Hz per bin) has no whole band left: take fewer octaves, a longer "
            "clip or a smaller offset"
        )
    return Bands(centres=tuple(centres.tolist()), widths=tuple(widths.tolist()))
