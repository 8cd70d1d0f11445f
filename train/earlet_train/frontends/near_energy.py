"""The energy that filters find in each frame, quickly and with gradients: what training can afford.

`narrow_energy` writes a filter's energy in a frame as a quadratic form of the frame's spectrum,

    E = sum over k, l of Q[k, l] e[k] e[l],      Q[k, l] = u[k] G[k] u[l] G[l] T[k, l]

(and the same of the odd half), and splits Q by eigenvectors, which takes too long to do in every
step. Here only the diagonals of Q up to a distance of `neighbours` are followed, inside the band
as outside: products of a bin with itself and with those beside it, the same for all filters, times
weights that depend on the filters by a product of two responses. Gradients reach the filters alone.

Measured against the definition, ln(E + 0.001), 16 neighbours: notes of instruments with 80 filters
of 257 taps in frames of 744, mean error 0.0006, 99.9 % below 0.016; spoken syllables with filters
between 60 and 2,000 Hz of 513 taps in frames of 800, 0.002 and 0.08. With all bins as neighbours it
is exact.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet_train.frontends.narrow_energy import overlaps
from earlet_train.frontends.symmetric_dft import SymmetricDft

Floats = NDArray[np.float64]


class NearEnergy(nn.Module):
    """Waveform [B, T], filters [F, k] -> mean square of their outputs in each frame [B, F, N].

    For symmetric filters of `taps` (odd) samples; `window` [S] with S even, in float64. Nothing of
    it is part of the checkpoint.
    """

    def __init__(self, *, window: Floats, taps: int, hop_samples: int, neighbours: int) -> None:
        super().__init__()
        frame = len(window)
        self.spectrum = SymmetricDft(window=window, hop_samples=hop_samples)
        self.distances = range(min(neighbours, frame // 2) + 1)
        overlap = overlaps(frame, frame - taps + 1)
        shares = [
            (1 if distance == 0 else 2) * np.diag(half, distance)
            for distance in self.distances
            for half in overlap
        ]
        self._keep("shares", np.concatenate(shares))
        frequency = 2 * np.pi / frame * np.arange(frame // 2 + 1)
        scale = np.full(len(frequency), 2 / frame)
        scale[[0, -1]] /= 2  # 0 Hz and Nyquist have no mirror image
        offsets = np.arange(taps) - taps // 2
        self._keep("cosines", np.cos(np.outer(offsets, frequency)) * scale)

    def forward(self, waveform: Tensor, filters: Tensor) -> Tensor:
        """Waveform [B, T], filters [F, k] -> energy [B, F, N]."""
        halves = self.spectrum(waveform)  # [B, 2, K, N]
        gains = filters @ self.cosines
        bins = gains.shape[1]
        beside, products = [], []
        for distance in self.distances:
            low, high = slice(bins - distance), slice(distance, bins)
            beside.append((halves[:, :, low] * halves[:, :, high]).flatten(1, 2))
            product = gains[:, low] * gains[:, high]
            products += [product, product]
        weights = torch.cat(products, dim=1) * self.shares
        energy: Tensor = weights @ torch.cat(beside, dim=1)
        return energy.clamp(min=0)  # without its distant products it may fall below

    def _keep(self, name: str, values: Floats) -> None:
        self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)

    shares: Tensor
    cosines: Tensor
