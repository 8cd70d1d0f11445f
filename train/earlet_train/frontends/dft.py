"""The power spectrum of short frames, in operations that every ONNX runtime has.

The STFT operator of ONNX is slow, and wrong by several nepers where n_fft is no power of two, so
the transform is written out. Three equal forms, the cheapest that fits is taken:

- `factored`: one step of Cooley and Tukey. With n_fft = N1 * N2, n = N2*n1 + n2 and k = k1 + N1*k2,

      X[k1 + N1*k2] = sum_n2 e^(-2 pi i n2 (k1 + N1*k2) / n_fft)
                        sum_n1 w[n] x[n] e^(-2 pi i n1 k1 / N1)

  The inner sum is a strided convolution over every N2-th sample (so hop must be a multiple of N2),
  the outer one a small matrix per k1. The signal is real, hence only k1 = 0..N1/2 are computed:
  the bins above n_fft/2 that come out carry the power of their mirror images.
  N1 + 2*N2 multiplications per sample and frame.
- `folded`: any even n_fft. cos is even and sin is odd around n_fft/2, so samples n and n_fft - n
  are added or subtracted before a matrix of half the size. n_fft / 2 multiplications.
- `matmul`: the definition. n_fft multiplications.
"""

import math
from typing import Literal, assert_never

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Window = Literal["hann", "hamming", "blackman"]
Centre = Literal["reflect", "zero", "none"]
Form = Literal["factored", "folded", "matmul"]

Floats = NDArray[np.float64]


class PowerDft(nn.Module):
    """Waveform [B, T] -> |X|^2 [B, n_fft // 2 + 1, N], not scaled; see the module's docstring.

    `centre`: frame i is centred on sample i*hop, with the signal continued by `reflect` or `zero`
    (as librosa and torch.stft do), or starts there (`none`: only whole frames, nothing invented).
    The window is periodic (DFT-even). Kernels are computed in float64 and are no part of the
    checkpoint. Raises ValueError for sizes that cannot be.
    """

    def __init__(
        self,
        *,
        n_fft: int,
        hop_samples: int,
        window: Window = "hann",
        centre: Centre = "none",
        form: Form | None = None,
    ) -> None:
        super().__init__()
        if n_fft < 4 or hop_samples < 1:
            raise ValueError(f"n_fft {n_fft} must be at least 4 and hop {hop_samples} at least 1")
        self.n_fft, self.hop_samples, self.centre = n_fft, hop_samples, centre
        split = best_split(n_fft, hop_samples)
        self.form: Form = form or cheapest_form(n_fft, hop_samples)
        taper = window_function(window, n_fft)
        if self.form == "factored":
            if split is None:
                raise ValueError(f"no split of n_fft {n_fft} suits hop {hop_samples}")
            self.rows, self.columns = split
            self._keep(factored_kernels(taper, self.rows, self.columns))
        elif self.form == "folded":
            if n_fft % 2:
                raise ValueError(f"only an even n_fft can be folded, found {n_fft}")
            self._keep(folded_kernels(taper))
        elif self.form == "matmul":
            self._keep({"basis": np.concatenate(fourier_rows(taper, np.arange(n_fft // 2 + 1)))})
        else:
            assert_never(self.form)

    @property
    def bins(self) -> int:
        """Number of frequencies, 0 and Nyquist included."""
        return self.n_fft // 2 + 1

    def frames(self, samples: int) -> int:
        """How many frames a waveform of this many samples has."""
        padding = 0 if self.centre == "none" else 2 * (self.n_fft // 2)
        return (samples + padding - self.n_fft) // self.hop_samples + 1

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> power [B, F, N]."""
        half = self.n_fft // 2
        if self.centre == "reflect":
            waveform = F.pad(waveform[:, None], (half, half), mode="reflect")[:, 0]
        elif self.centre == "zero":
            waveform = F.pad(waveform, (half, half))
        if self.form == "factored":
            return self._factored(waveform)
        if self.form == "folded":
            return self._folded(self._framed(waveform))
        real, imaginary = (self.basis @ self._framed(waveform)).chunk(2, dim=1)
        return real.square() + imaginary.square()

    def _factored(self, x: Tensor) -> Tensor:
        """Padded waveform [B, T] -> power [B, F, N] through N1 x N2."""
        n1, n2, batch = self.rows, self.columns, x.shape[0]
        blocks = x.shape[1] // n2
        x = x[:, : blocks * n2].reshape(batch, blocks, n2).transpose(1, 2)
        inner = F.conv1d(x, self.inner, stride=self.hop_samples // n2, groups=n2)
        inner = inner.reshape(batch, n2, n1, -1).transpose(1, 2)  # [B, N1 rows, N2, N]
        # Rows: k1 = 0 and k1 = N1/2 are real; then the real parts of the others, then imaginary.
        middle = n1 // 2 - 1
        pairs = torch.cat([inner[:, 2 : 2 + middle], inner[:, 2 + middle :]], dim=2)
        power = [
            squared(self.first @ inner[:, 0]),
            squared(self.last @ inner[:, 1]),
            squared(self.outer @ pairs).flatten(1, 2),
        ]
        return torch.cat(power, dim=1).index_select(1, self.order)

    def _framed(self, x: Tensor) -> Tensor:
        """Padded waveform [B, T] -> frames [B, n_fft, N], from blocks of one hop each."""
        hop, frames = self.hop_samples, (x.shape[1] - self.n_fft) // self.hop_samples + 1
        whole, rest = divmod(self.n_fft, hop)
        pieces = whole + (rest > 0)
        blocks = frames + pieces - 1
        x = F.pad(x, (0, hop))[:, : blocks * hop].reshape(x.shape[0], blocks, hop).transpose(1, 2)
        parts = [x[:, :, i : i + frames] for i in range(whole)]
        if rest:
            parts.append(x[:, :rest, whole : whole + frames])
        return torch.cat(parts, dim=1)

    def _folded(self, frames: Tensor) -> Tensor:
        """Frames [B, n_fft, N] -> power [B, F, N] from their even and odd halves."""
        half = self.n_fft // 2
        frames = frames * self.taper[:, None]
        forth, back = frames[:, 1:half], frames[:, half + 1 :].flip(1)
        even = torch.cat([frames[:, :1], forth + back, frames[:, half : half + 1]], dim=1)
        real, imaginary = self.cosine @ even, self.sine @ (forth - back)
        return real.square() + imaginary.square()

    def _keep(self, kernels: dict[str, Floats]) -> None:
        for name, values in kernels.items():
            kind = torch.int64 if name == "order" else torch.float32
            self.register_buffer(name, torch.from_numpy(values).to(kind), persistent=False)

    basis: Tensor
    inner: Tensor
    first: Tensor
    last: Tensor
    outer: Tensor
    order: Tensor
    taper: Tensor
    cosine: Tensor
    sine: Tensor


def squared(x: Tensor) -> Tensor:
    """[..., 2K, N], real parts over imaginary parts -> power [..., K, N]."""
    real, imaginary = x.chunk(2, dim=-2)
    return real.square() + imaginary.square()


def window_function(name: Window, n: int) -> Floats:
    """-> periodic window [n] in float64."""
    phase = 2 * math.pi * np.arange(n) / n
    weights = {"hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}[name]
    return np.asarray(sum((-1) ** i * a * np.cos(i * phase) for i, a in enumerate(weights)))


def best_split(n_fft: int, hop_samples: int) -> tuple[int, int] | None:
    """The (N1, N2) with N1 even and hop a multiple of N2 that multiplies least, if there is one."""
    splits = [
        (n_fft // n2, n2)
        for n2 in range(2, n_fft // 4 + 1, 2)
        if n_fft % n2 == 0 and (n_fft // n2) % 2 == 0 and hop_samples % n2 == 0
    ]
    return min(splits, key=lambda s: s[0] + 2 * s[1], default=None)


def cheapest_form(n_fft: int, hop_samples: int) -> Form:
    """Which form multiplies least for this size."""
    split = best_split(n_fft, hop_samples)
    if split is not None and split[0] + 2 * split[1] < n_fft // 2:
        return "factored"
    return "folded" if n_fft % 2 == 0 else "matmul"


def fourier_rows(taper: Floats, bins: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Window [n], bins [K] -> windowed cosines and negative sines, [K, n] each.

    k*n is reduced modulo n_fft in integers: an angle of thousands of turns would lose digits.
    """
    n = len(taper)
    angle = 2 * math.pi / n * (np.outer(bins, np.arange(n)) % n)
    return np.cos(angle) * taper, -np.sin(angle) * taper


def folded_kernels(taper: Floats) -> dict[str, Floats]:
    """Window [n] -> the window, cosines over samples 0..n/2 and sines over 1..n/2-1."""
    n = len(taper)
    cosine, sine = fourier_rows(np.ones(n), np.arange(n // 2 + 1))
    return {"taper": taper, "cosine": cosine[:, : n // 2 + 1], "sine": sine[:, 1 : n // 2]}


def factored_kernels(taper: Floats, n1: int, n2: int) -> dict[str, Floats]:
    """Window [n1 * n2] -> the inner convolution, the outer matrices and the order of their bins."""
    n = n1 * n2
    between = np.arange(1, n1 // 2)
    cosine, sine = fourier_rows(np.ones(n1), np.arange(n1 // 2 + 1))
    rows = np.concatenate([cosine[[0, n1 // 2]], cosine[between], sine[between]])
    inner = taper.reshape(n1, n2).T[:, None, :] * rows[None]  # [N2, N1 rows, N1 taps]

    def twiddle(k: NDArray[np.int64]) -> tuple[Floats, Floats]:
        angle = 2 * math.pi / n * (np.outer(k, np.arange(n2)) % n)
        return np.cos(angle), -np.sin(angle)

    first_bins = n1 * np.arange(n2 // 2 + 1)
    last_bins = n1 // 2 + n1 * np.arange(n2 // 2)
    outer, bins = [], [first_bins, last_bins]
    for k1 in between:
        k = k1 + n1 * np.arange(n2)
        real, imaginary = twiddle(k)
        outer.append(np.block([[real, -imaginary], [imaginary, real]]))
        bins.append(np.minimum(k, n - k))
    return {
        "inner": inner.reshape(n, 1, n1),
        "first": np.concatenate(twiddle(first_bins)),
        "last": np.concatenate(twiddle(last_bins)),
        "outer": np.stack(outer),
        "order": np.argsort(np.concatenate(bins), kind="stable"),
    }
