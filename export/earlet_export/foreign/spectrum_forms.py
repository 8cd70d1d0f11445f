"""The short-time spectrum of a foreign graph in products that every ONNX runtime computes fast.

Frames of w samples, `taper` [w] before them, zeros up to n_fft behind them, one every `hop`:

    X[k] = sum_n taper[n] x[n] e^(-2 pi i k n / n_fft)

`earlet_train.frontends.dft` explains the factored form; here real and imaginary parts are kept, for
nobody knows what the foreign graph wants them for.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from earlet_export.foreign.graph import Builder
from earlet_train.frontends.dft import best_split, split_cost
from earlet_train.frontends.dft_kernels import Floats, factored_kernels, fourier_rows

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """What is transformed: sound of `samples`, read in frames."""

    n_fft: int
    hop: int
    taper: Floats = field(repr=False)
    samples: int

    @property
    def width(self) -> int:
        """Samples of a frame."""
        return len(self.taper)

    @property
    def count(self) -> int:
        """How many frames there are."""
        return (self.samples - self.width) // self.hop + 1

    @property
    def bins(self) -> int:
        """From 0 Hz to half the rate."""
        return self.n_fft // 2 + 1

    @property
    def split(self) -> tuple[int, int] | None:
        """N1 and N2 of the factored form, where it beats a plain product."""
        split = best_split(self.n_fft, self.hop, window_samples=self.width)
        plain = 2 * self.bins * self.width
        return split if split is not None and split_cost(split, self.width) < plain / 2 else None


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """A tensor [B, R, N] of the graph, and which of its rows hold each bin's two parts."""

    tensor: str
    real: Rows
    imaginary: Rows


def factored(build: Builder, sound: str, frames: Frames) -> Spectrum:
    """Sound [B, T] in any shape -> its spectrum by one step of Cooley and Tukey."""
    split = frames.split
    assert split is not None
    n1, n2 = split
    kernels = factored_kernels(frames.taper, n1, n2, frames.bins)
    x = build.node("Reshape", sound, build.ints(-1, frames.samples))
    # The last tap reaches beyond the frame, where the kernel is zero.
    more = -frames.width % n2
    if more:
        x = build.node("Pad", x, build.ints(0, 0, 0, more))
    blocks = (frames.samples + more) // n2
    if blocks * n2 < frames.samples + more:
        x = build.node("Slice", x, build.ints(0), build.ints(blocks * n2), build.ints(1))
    x = build.node("Reshape", x, build.ints(-1, blocks, n2))
    x = build.node("Transpose", x, perm=[0, 2, 1])
    inner = build.constant(kernels["inner"].astype(np.float32))
    x = build.node("Conv", x, inner, strides=[frames.hop // n2], group=n2)
    x = build.node("Reshape", x, build.ints(-1, n2, n1, frames.count))
    x = build.node("Transpose", x, perm=[0, 2, 1, 3])
    x = build.node("Reshape", x, build.ints(-1, n1 // 2, 2 * n2, frames.count))
    outer = _with_phase(kernels["outer"], n1, n2)
    x = build.node("MatMul", build.constant(outer.astype(np.float32)), x)
    x = build.node("Reshape", x, build.ints(-1, n1 * (n2 + 1), frames.count))
    # Of each k1 first the real rows, then the imaginary ones.
    k1, row = np.divmod(kernels["order"].astype(np.int64), n2 + 1)
    real = k1 * 2 * (n2 + 1) + row
    return Spectrum(tensor=x, real=real, imaginary=real + n2 + 1)


def convolved(build: Builder, sound: str, frames: Frames) -> Spectrum:
    """Sound [B, T] in any shape -> its spectrum by the definition, as a strided convolution."""
    kernel = interleaved(frames)[:, None].astype(np.float32)
    x = build.node("Reshape", sound, build.ints(-1, 1, frames.samples))
    x = build.node("Conv", x, build.constant(kernel), strides=[frames.hop])
    return Spectrum(
        tensor=x, real=2 * np.arange(frames.bins), imaginary=2 * np.arange(frames.bins) + 1
    )


def by_definition(build: Builder, sound: str, frames: Frames) -> str:
    """Sound [B, T] in any shape -> [B, N, 2 * bins], interleaved, computed in double precision."""
    starts = frames.hop * np.arange(frames.count)
    places = build.constant(starts[:, None] + np.arange(frames.width))
    x = build.node("Reshape", sound, build.ints(-1, frames.samples))
    x = build.node("Gather", x, places, axis=1)
    return in_double(build, x, interleaved(frames))


def in_double(build: Builder, x: str, rows: Floats) -> str:
    """[.., n] times rows [K, n] -> [.., K], rounded to float32 once."""
    x = build.node("Cast", x, to=TensorProto.DOUBLE)
    x = build.node("MatMul", x, build.constant(rows.T))
    return build.node("Cast", x, to=TensorProto.FLOAT)


def interleaved(frames: Frames) -> Floats:
    """Kernels [2 * bins, w]: for each bin the tapered cosine, then the negative sine."""
    rows = fourier_rows(np.arange(frames.bins), np.arange(frames.width), frames.n_fft)
    return np.stack(rows, axis=1).reshape(-1, frames.width) * frames.taper


def _with_phase(outer: Floats, n1: int, n2: int) -> Floats:
    """Outer matrices whose rows above the middle give their bin, not its mirror image."""
    turned = outer.reshape(n1 // 2, 2, n2 + 1, 2 * n2).copy()
    k = np.arange(1, n1 // 2)[:, None] + n1 * np.arange(n2)
    turned[1:, 1, :n2] *= np.where(k > n1 * n2 // 2, -1.0, 1.0)[:, :, None]
    return turned.reshape(outer.shape)
