"""The even and the odd half of each frame's spectrum, counted from the frame's middle.

With the phase counted from the middle c = (S - 1) / 2 of a frame of S samples,

    even[k] = sum_n w[n] x[n] cos(2 pi k (n - c) / S)
    odd[k]  = sum_n w[n] x[n] sin(2 pi k (n - c) / S)      k = 0 .. S/2,

whatever is symmetric in time (a window, a symmetric filter, a span in the frame's middle) keeps the
two apart. Two equal forms, in operations that every ONNX runtime has; the first where it fits:

- `factored`, S = N1 * N2 and hop a multiple of N2: a strided convolution over every N2-th sample,
  then a small matrix for each k1 of k = k1 + N1*k2. About N1 + 2*N2 multiplications a sample.
- `folded`: samples equally far from the middle are added (even) or subtracted (odd) before a matrix
  of half the size. About S / 2 multiplications a sample.
"""

import math
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]


class SymmetricDft(nn.Module):
    """Waveform [B, T] -> [B, 2, S // 2 + 1, N]: even half, odd half, of whole frames only.

    `window` [S] in float64, S even. Kernels are no part of the checkpoint.
    """

    def __init__(self, *, window: Floats, hop_samples: int) -> None:
        super().__init__()
        self.frame_samples, self.hop_samples = len(window), hop_samples
        self.split = best_split(self.frame_samples, hop_samples)
        self.form: Literal["factored", "folded"] = "folded" if self.split is None else "factored"
        if self.split is None:
            self._keep(folded_kernels(window))
        else:
            self._keep(factored_kernels(window, *self.split))

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> [B, 2, K, N]."""
        if self.split is None:
            half = self.frame_samples // 2
            frames = framed(waveform, self.frame_samples, self.hop_samples) * self.window[:, None]
            before, after = frames[:, :half].flip(1), frames[:, half:]
            return torch.stack(
                [self.cosine @ (after + before), self.sine @ (after - before)], dim=1
            )
        (n1, n2), batch = self.split, waveform.shape[0]
        kinds, blocks = n1 // 2 + 1, waveform.shape[1] // n2
        x = waveform[:, : blocks * n2].reshape(batch, blocks, n2).transpose(1, 2)
        inner = F.conv1d(x, self.inner, stride=self.hop_samples // n2, groups=n2)
        # [B, n2, cosine and sine, k1, N] -> [B, k1, cosines of all n2 over their sines, N]
        inner = inner.reshape(batch, n2, 2, kinds, -1).permute(0, 3, 2, 1, 4)
        outer = self.outer @ inner.reshape(batch, kinds, 2 * n2, -1)
        halves = outer.reshape(batch, kinds, 2, n2, -1).transpose(1, 2)
        return halves.reshape(batch, 2, kinds * n2, -1).index_select(2, self.order)

    def _keep(self, kernels: dict[str, Floats]) -> None:
        for name, values in kernels.items():
            kind = torch.int64 if name == "order" else torch.float32
            self.register_buffer(name, torch.from_numpy(values).to(kind), persistent=False)

    window: Tensor
    cosine: Tensor
    sine: Tensor
    inner: Tensor
    outer: Tensor
    order: Tensor


def framed(waveform: Tensor, frame_samples: int, hop_samples: int) -> Tensor:
    """Waveform [B, T] -> its whole frames [B, S, N], put together from blocks of one hop each."""
    frames = (waveform.shape[1] - frame_samples) // hop_samples + 1
    whole, rest = divmod(frame_samples, hop_samples)
    blocks = frames + whole + (rest > 0) - 1
    x = F.pad(waveform, (0, hop_samples))[:, : blocks * hop_samples]
    x = x.reshape(waveform.shape[0], blocks, hop_samples).transpose(1, 2)
    parts = [x[:, :, i : i + frames] for i in range(whole)]
    if rest:
        parts.append(x[:, :rest, whole : whole + frames])
    return torch.cat(parts, dim=1)


def best_split(frame_samples: int, hop_samples: int) -> tuple[int, int] | None:
    """The (N1, N2), N1 even, that multiplies least, if one beats folding; else None."""
    splits = [
        (frame_samples // n2, n2)
        for n2 in range(2, frame_samples // 4 + 1)
        if frame_samples % (2 * n2) == 0 and hop_samples % n2 == 0
    ]
    best = min(splits, key=lambda s: sum(s) + s[1], default=None)
    return best if best is not None and sum(best) + best[1] < frame_samples // 2 else None


def folded_kernels(window: Floats) -> dict[str, Floats]:
    """Window [S] -> itself, and cosines and sines [S/2 + 1, S/2] of the later half's samples."""
    half = len(window) // 2
    # n - c in half samples: 1, 3, 5 ... Angles are reduced in integers, or they would lose digits.
    turns = np.outer(np.arange(half + 1), 2 * np.arange(half) + 1) % (2 * len(window))
    angle = math.pi / len(window) * turns
    return {"window": window, "cosine": np.cos(angle), "sine": np.sin(angle)}


def factored_kernels(window: Floats, n1: int, n2: int) -> dict[str, Floats]:
    """Window [n1 * n2] -> inner convolution, outer matrices, and where bin k comes out."""
    n, kinds = n1 * n2, n1 // 2 + 1
    angle = 2 * math.pi / n1 * (np.outer(np.arange(kinds), np.arange(n1)) % n1)
    rows = np.concatenate([np.cos(angle), np.sin(angle)])
    inner = window.reshape(n1, n2).T[:, None] * rows[None]  # [N2, cosines and sines, N1 taps]
    k = np.arange(kinds)[:, None] + n1 * np.arange(n2)  # [k1, k2]
    # Twice n2 - c is odd: an integer, so these angles can be reduced too.
    turns = k[:, :, None] * (2 * np.arange(n2) - (n - 1)) % (2 * n)
    cosine, sine = np.cos(math.pi / n * turns), np.sin(math.pi / n * turns)
    # Bins above S/2 are the mirror images of those below: even halves with the other sign.
    sign = np.where(k > n // 2, -1.0, 1.0)[:, :, None]
    outer = np.concatenate(
        [
            np.concatenate([sign * cosine, -sign * sine], axis=2),
            np.concatenate([sine, cosine], axis=2),
        ],
        axis=1,
    )
    _, order = np.unique(np.minimum(k, n - k), return_index=True)
    return {"inner": inner.reshape(-1, 1, n1), "outer": outer, "order": order}
