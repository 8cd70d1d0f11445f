"""The power spectrum of short frames, in operations that every ONNX runtime has.

The STFT operator of ONNX is slow, and wrong by several nepers where n_fft is no power of two, so
the transform is written out. Three equal forms, the cheapest that fits is taken:

- `factored`: one step of Cooley and Tukey. With n_fft = N1 * N2, n = N2*n1 + n2 and k = k1 + N1*k2,

      X[k1 + N1*k2] = sum_n2 e^(-2 pi i n2 (k1 + N1*k2) / n_fft)
                        sum_n1 w[n] x[n] e^(-2 pi i n1 k1 / N1)

  The inner sum is a strided convolution over every N2-th sample (so hop must be a multiple of N2),
  the outer one a small matrix per k1. The signal is real, hence only k1 = 0..N1/2 are computed:
  the bins above n_fft/2 that come out carry the power of their mirror images.
  N1 * window + 2 * N2 * n_fft multiplications per frame.
- `folded`: any even window. cos is even and sin is odd around the window's middle, so samples n and
  window - 1 - n are added or subtracted before matrices of half the size. bins * window.
- `matmul`: the definition. 2 * bins * window.
"""

from typing import Literal, assert_never

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earlet_train.frontends.dft_kernels import (
    Floats,
    factored_kernels,
    folded_kernels,
    matmul_kernels,
)
from earlet_train.frontends.windows import Sampling, Window, window_function

Centre = Literal["reflect", "zero", "none", "causal"]
Form = Literal["factored", "folded", "matmul"]


class PowerDft(nn.Module):
    """Waveform [B, T] -> |X|^2 [B, bins, N], not scaled; see the module's docstring.

    Frames are `window_samples` long (0: n_fft), then zeros up to n_fft. `centre` says where frame i
    lies:

    - `reflect`, `zero`: its middle on sample i*hop, the signal continued at both ends by its mirror
      image or by zeros, as torch.stft and librosa do; N = T // hop + 1 for an even window.
    - `none`: it starts at sample i*hop; whole windows only, nothing invented.
      N = (T - window) // hop + 1. (torch.stft would start a short window (n_fft - window) / 2 later
      and want n_fft samples for it.)
    - `causal`: it ends with sample (i+1)*hop - 1, the signal preceded by zeros: nothing is awaited
      beyond the hop that just arrived. N = T // hop.

    `bins`: only so many frequencies from 0 Hz on (0: all n_fft // 2 + 1). Kernels are computed in
    float64, kept in float32, and are no part of the checkpoint. A waveform in double precision
    gives power in it, but not by the factored form: ONNX Runtime has no convolution in double.
    Raises ValueError for sizes that cannot be, and for a waveform shorter than a frame.
    """

    def __init__(
        self,
        *,
        n_fft: int,
        hop_samples: int,
        window_samples: int = 0,
        window: Window = "hann",
        sampling: Sampling = "periodic",
        centre: Centre = "none",
        bins: int = 0,
        form: Form | None = None,
    ) -> None:
        super().__init__()
        if n_fft < 4 or hop_samples < 1:
            raise ValueError(f"n_fft {n_fft} must be at least 4 and hop {hop_samples} at least 1")
        if not 0 <= window_samples <= n_fft or window_samples == 1:
            raise ValueError(
                f"a window of {window_samples} samples does not fit n_fft {n_fft}: give 2 to n_fft "
                "samples, or 0 for n_fft"
            )
        if not 0 <= bins <= n_fft // 2 + 1:
            raise ValueError(f"n_fft {n_fft} has {n_fft // 2 + 1} bins, found bins = {bins}")
        self.n_fft, self.hop_samples, self.centre = n_fft, hop_samples, centre
        self.window_samples = window_samples or n_fft
        self.bins = bins or n_fft // 2 + 1
        self.padding = padding(n_fft, hop_samples, self.window_samples, centre)
        self.form: Form = form or cheapest_form(
            n_fft, hop_samples, window_samples=self.window_samples, bins=self.bins
        )
        taper = window_function(window, self.window_samples, sampling=sampling)
        if self.form == "factored":
            split = best_split(n_fft, hop_samples, window_samples=self.window_samples)
            if split is None:
                raise ValueError(f"no split of n_fft {n_fft} suits hop {hop_samples}")
            self.rows, self.columns = split
            self._keep(factored_kernels(taper, self.rows, self.columns, self.bins))
        elif self.form == "folded":
            if self.window_samples % 2:
                raise ValueError(f"only an even window can be folded, found {self.window_samples}")
            self._keep(folded_kernels(taper, n_fft, self.bins))
        elif self.form == "matmul":
            self._keep(matmul_kernels(taper, n_fft, self.bins))
        else:
            assert_never(self.form)

    def frames(self, samples: int) -> int:
        """How many frames a waveform of this many samples has; 0 or less: it is too short."""
        return (samples + sum(self.padding) - self.window_samples) // self.hop_samples + 1

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> power [B, bins, N]."""
        rows = self.rows_of(waveform)
        return rows.index_select(1, self.order) if self.form == "factored" else rows

    def rows_of(self, waveform: Tensor) -> Tensor:
        """The same in the order in which it is computed: bin k is row `places()[k]`.

        For who picks bins himself, and would pick twice.
        """
        if self.frames(waveform.shape[1]) < 1:
            raise ValueError(
                f"{waveform.shape[1]} samples are shorter than one frame of {self.window_samples}: "
                "make the window of [data] longer or n_fft smaller"
            )
        padded = self._padded(waveform)
        if self.form == "factored":
            return self._factored(padded)
        if self.form == "folded":
            return self._folded(self._framed(padded))
        return squared(self.basis.to(padded.dtype) @ self._framed(padded))

    def places(self) -> Tensor:
        """Rows of `rows_of` [bins] that hold bin 0, 1, 2, ..."""
        return self.order if self.form == "factored" else torch.arange(self.bins)

    def _padded(self, x: Tensor) -> Tensor:
        """Waveform [B, T] -> [B, T'] whose frame i starts at sample i*hop."""
        before, after = self.padding
        if self.centre == "reflect":
            return F.pad(x[:, None], (before, after), mode="reflect")[:, 0]
        if before < 0:
            return x[:, -before:]
        return F.pad(x, (before, after)) if before or after else x

    def _factored(self, x: Tensor) -> Tensor:
        """Padded waveform [B, T] -> power [B, F, N] through N1 x N2, in the order of its rows."""
        n1, n2, batch = self.rows, self.columns, x.shape[0]
        if self.window_samples % n2:
            # The last tap reaches beyond the window, where the kernel is zero.
            x = F.pad(x, (0, n2 - self.window_samples % n2))
        blocks = x.shape[1] // n2
        x = x[:, : blocks * n2].reshape(batch, blocks, n2).transpose(1, 2)
        inner = F.conv1d(x, self.inner, stride=self.hop_samples // n2, groups=n2)
        inner = inner.reshape(batch, n2, n1, -1).transpose(1, 2)  # [B, N1 rows, N2, N]
        # A real and an imaginary row of each k1; k1 = 0 and k1 = N1/2, both real, lead as one pair.
        return squared(self.outer @ inner.reshape(batch, n1 // 2, 2 * n2, -1)).flatten(1, 2)

    def _framed(self, x: Tensor) -> Tensor:
        """Padded waveform [B, T] -> frames [B, window, N], from blocks of one hop each."""
        hop, window = self.hop_samples, self.window_samples
        frames = (x.shape[1] - window) // hop + 1
        whole, rest = divmod(window, hop)
        pieces = whole + (rest > 0)
        blocks = frames + pieces - 1
        x = F.pad(x, (0, hop))[:, : blocks * hop].reshape(x.shape[0], blocks, hop).transpose(1, 2)
        parts = [x[:, :, i : i + frames] for i in range(whole)]
        if rest:
            parts.append(x[:, :rest, whole : whole + frames])
        return torch.cat(parts, dim=1)

    def _folded(self, frames: Tensor) -> Tensor:
        """Frames [B, window, N] -> power [B, F, N] from their even and odd halves."""
        half = self.window_samples // 2
        frames = frames * self.taper[:, None]
        forth, back = frames[:, :half], frames[:, half:].flip(1)
        cosine, sine = self.cosine.to(frames.dtype), self.sine.to(frames.dtype)
        real, imaginary = cosine @ (forth + back), sine @ (forth - back)
        return real * real + imaginary * imaginary

    def _keep(self, kernels: dict[str, Floats]) -> None:
        for name, values in kernels.items():
            kind = torch.int64 if name == "order" else torch.float32
            values = np.ascontiguousarray(values)
            self.register_buffer(name, torch.from_numpy(values).to(kind), persistent=False)

    basis: Tensor
    inner: Tensor
    outer: Tensor
    order: Tensor
    taper: Tensor
    cosine: Tensor
    sine: Tensor


def looks_ahead(centre: Centre) -> str:
    """Why frames placed so cannot be had from a stream, and the remedy; empty: they can."""
    if centre == "none":
        return ""
    if centre == "causal":
        return "centre = 'causal' begins every window with zeros: set it to 'none'"
    return f"centre = '{centre}' looks ahead: set it to 'none'"


def padding(n_fft: int, hop_samples: int, window_samples: int, centre: Centre) -> tuple[int, int]:
    """How many samples to put before and after the signal (before < 0: to drop)."""
    if centre == "none":
        return 0, 0
    if centre == "causal":
        return window_samples - hop_samples, 0
    # torch.stft pads n_fft // 2 on both sides and puts the window in the middle of n_fft.
    skipped = (n_fft - window_samples) // 2
    return n_fft // 2 - skipped, n_fft // 2 - (n_fft - window_samples - skipped)


def squared(x: Tensor) -> Tensor:
    """[..., 2K, N], real parts over imaginary parts -> power [..., K, N]."""
    # Not x.square(), a Pow in the graph: ONNX Runtime's Mul is faster.
    real, imaginary = (x * x).chunk(2, dim=-2)
    return real + imaginary


def best_split(n_fft: int, hop_samples: int, *, window_samples: int = 0) -> tuple[int, int] | None:
    """The (N1, N2) with N1 even and hop a multiple of N2 that multiplies least, if there is one."""
    window = window_samples or n_fft
    splits = [
        (n_fft // n2, n2)
        for n2 in range(2, n_fft // 4 + 1, 2)
        if n_fft % n2 == 0 and (n_fft // n2) % 2 == 0 and hop_samples % n2 == 0
    ]
    return min(splits, key=lambda s: split_cost(s, window), default=None)


def cheapest_form(
    n_fft: int, hop_samples: int, *, window_samples: int = 0, bins: int = 0, factored: bool = True
) -> Form:
    """Which form multiplies least for this size. `factored`: whether that one is allowed."""
    window, bins = window_samples or n_fft, min(bins or n_fft // 2, n_fft // 2)
    split = best_split(n_fft, hop_samples, window_samples=window) if factored else None
    if split is not None and split_cost(split, window) < bins * window * (1 + window % 2):
        return "factored"
    return "folded" if window % 2 == 0 else "matmul"


def split_cost(split: tuple[int, int], window_samples: int) -> int:
    """Multiplications per frame of the factored form."""
    n1, n2 = split
    return n1 * n2 * -(-window_samples // n2) + 2 * n1 * n2 * n2
