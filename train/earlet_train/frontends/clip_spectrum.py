"""The spectrum of a whole clip at once, in matrix products that every ONNX runtime has.

A DFT operator would be slow and, away from powers of two, wrong in ONNX Runtime; one matrix would
have N^2 entries. One step of Cooley and Tukey makes it two small ones. With N = N1 * N2,
n = N2*n1 + n2 and k = k1 + N1*k2,

    X[k1 + N1*k2] = sum_n2 e^(-2 pi i n2 k2 / N2)
                      e^(-2 pi i n2 k1 / N)
                        sum_n1 e^(-2 pi i n1 k1 / N1) x[N2*n1 + n2]

The signal is real, so only k2 up to the highest bin that is wanted are computed. A clip of 64,000
= 250 * 256 samples costs 2 N1 + 2 N2 * (share of bins wanted) + 4 = 760 multiplications a sample.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet_train.frontends.dft import Form

# The most multiplications per sample that is still a factored transform.
MAX_FACTOR = 4096


class ClipSpectrum(nn.Module):
    """Waveform [B, N] -> real and imaginary parts [B, 2, K] of bins 0 .. K - 1, K > `highest_bin`.

    Not scaled: X[k] = sum_n x[n] e^(-2 pi i n k / N). Tables are computed in float64 and are no
    part of the checkpoint. Raises ValueError where N has no two factors of a useful size.
    """

    form: Form = "factored"

    def __init__(self, *, samples: int, highest_bin: int) -> None:
        super().__init__()
        self.samples = samples
        self.rows, self.columns = rows, columns = split(samples)
        blocks = highest_bin // rows + 1
        k1, n2 = np.arange(rows), np.arange(columns)
        cosine, sine = waves(np.outer(k1, np.arange(rows)), rows)
        self._keep("inner", np.concatenate([cosine, -sine]))
        cosine, sine = waves(np.outer(k1, n2), samples)
        self._keep("turn_cosine", cosine)
        self._keep("turn_sine", sine)
        # Rows: real parts, imaginary parts. Columns: real parts of all k2, then imaginary parts.
        cosine, sine = waves(np.outer(n2, np.arange(blocks)), columns)
        self._keep("outer", np.block([[cosine, -sine], [sine, cosine]]))

    @property
    def bins(self) -> int:
        """K, how many bins come out."""
        return self.rows * (self.outer.shape[1] // 2)

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, N] -> [B, 2, K]. Raises ValueError for another length."""
        if waveform.shape[-1] != self.samples:
            raise ValueError(
                f"the transform is made for clips of {self.samples} samples, found windows of "
                f"{waveform.shape[-1]}: set clip_samples to the window's length"
            )
        x = waveform.reshape(-1, self.rows, self.columns)
        real, imaginary = (self.inner @ x).chunk(2, dim=1)  # [B, N1 k1, N2 n2] each
        turned = torch.cat(
            [
                real * self.turn_cosine + imaginary * self.turn_sine,
                imaginary * self.turn_cosine - real * self.turn_sine,
            ],
            dim=2,
        )
        blocks = self.outer.shape[1] // 2
        spectrum = (turned @ self.outer).reshape(-1, self.rows, 2, blocks)
        return spectrum.permute(0, 2, 3, 1).reshape(-1, 2, self.bins)

    def _keep(self, name: str, values: NDArray[np.float64]) -> None:
        self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)

    inner: Tensor
    turn_cosine: Tensor
    turn_sine: Tensor
    outer: Tensor


def split(samples: int) -> tuple[int, int]:
    """N -> the factors (N1, N2), N1 <= N2, whose sum is smallest. Raises ValueError."""
    below = next(n for n in range(math.isqrt(samples), 0, -1) if samples % n == 0)
    if below + samples // below > MAX_FACTOR // 2:
        raise ValueError(
            f"a clip of {samples} samples has no two factors of similar size: take a length that "
            "is a product of small primes, as 64000 or 48000"
        )
    return below, samples // below


def waves(turns: NDArray[np.int64], period: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Integers t -> cos and sin of 2 pi t / period, reduced first: many turns would lose digits."""
    angle = 2 * math.pi / period * (turns % period)
    return np.cos(angle), np.sin(angle)
