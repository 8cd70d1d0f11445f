"""Writes out the STFT and DFT operators of a foreign model, as products that run fast everywhere.

`torch.stft` and torchaudio's spectrograms export as ONNX's STFT, `torch.fft.rfft` as its DFT. ONNX
Runtime computes both slowly, and where the size is no power of two (torchaudio's default is 400)
also inexactly: by Bluestein's algorithm in float32, several nepers off in quiet bins at worst. What
such a file means is then told by the same graph with these operators in double precision.

Preconditions: values that never change are constants, the length is one (`freeze`).
Rules, each only where it wins:

1. An STFT of real sound whose size and hop split, n_fft = N1 * N2 with N1 and N2 even and hop a
   multiple of N2, becomes one step of Cooley and Tukey (`earlet_train.frontends.dft`): a strided
   convolution and a small product. A third of the time of the next form.
2. Any other STFT whose size is no power of two becomes a convolution with windowed cosines and
   sines.
3. A DFT of real frames becomes a product with cosines and sines, where the size is no power of two
   or at most 512.

With `exactly` instead each of these becomes its definition in double precision: slow, a yardstick.

Postcondition: every tensor that is left has its name, its sizes, and its values within rounding.
`earlet adopt` holds the result against the untouched model, or where that is inexact against the
yardstick, and takes the operators back where that fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from earlet_export.foreign.graph import Builder, Values, probe
from earlet_export.passes.wiring import attribute
from earlet_train.frontends.dft import best_split
from earlet_train.frontends.dft_kernels import Floats, factored_kernels, fourier_rows

# How the names of the nodes that it makes begin.
SPECTRUM = "spectrum."
# Beyond it the operator is no slower than a product, where the size is a power of two.
_PRODUCT_UP_TO = 512


@dataclass(frozen=True, kw_only=True)
class _Frames:
    """An operator that can be written out. `window` [n_fft]; `samples`: of its whole input."""

    n_fft: int
    hop: int
    window: Floats
    samples: int

    @property
    def count(self) -> int:
        """How many frames it makes."""
        return (self.samples - self.n_fft) // self.hop + 1

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1


@dataclass(frozen=True, kw_only=True)
class Written:
    """A model with `count` of its spectra written out. `inexact`: the operators themselves were."""

    model: onnx.ModelProto
    count: int
    inexact: bool


def write_out_spectra(
    model: onnx.ModelProto, feed: Mapping[str, Values], *, source: str, exactly: bool = False
) -> Written:
    """Frozen model -> the same with its spectra written out. `feed`: an input."""
    constants = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    found = [node for node in model.graph.node if node.op_type in ("STFT", "DFT")]
    ends = [node.input[0] for node in found]
    values = probe(model, ends, feed, source=source) if ends else {}
    written = onnx.ModelProto()
    written.CopyFrom(model)
    del written.graph.node[:]
    sizes: list[int] = []
    for node in model.graph.node:
        sound = values.get(node.input[0]) if node.input else None
        build = Builder(written.graph, place=f"{SPECTRUM}{len(sizes)}")
        size = None if sound is None else _write(node, sound, constants, build, exactly=exactly)
        if size is None:
            written.graph.node.append(node)
        else:
            sizes.append(size)
    inexact = not all(_is_power_of_two(size) for size in sizes)
    return Written(model=written, count=len(sizes), inexact=inexact)


def _write(
    node: onnx.NodeProto,
    sound: Values,
    constants: Mapping[str, Values],
    build: Builder,
    *,
    exactly: bool,
) -> int | None:
    """Put the written-out form of an operator in its place, where a rule says so; -> its size."""
    if node.op_type == "STFT":
        frames = _frames(node, sound, constants)
        if frames is None:
            return None
        splits = best_split(frames.n_fft, frames.hop) is not None
        if not splits and _is_power_of_two(frames.n_fft):
            return None
        if exactly:
            _by_definition(build, node, frames)
        elif splits:
            _factored(build, node, frames)
        else:
            _convolved(build, node, frames)
        return frames.n_fft
    size = _transformed(node, sound, constants)
    if size is None or (_is_power_of_two(size) and size > _PRODUCT_UP_TO):
        return None
    lead = sound.shape[1:-2]
    flat = build.node("Reshape", node.input[0], build.ints(-1, *lead, size))
    spun = _product(build, flat, _interleaved(size), exactly=exactly)
    build.node("Reshape", spun, build.ints(-1, *lead, size // 2 + 1, 2), name=node.output[0])
    return size


def _frames(node: onnx.NodeProto, sound: Values, constants: Mapping[str, Values]) -> _Frames | None:
    """None where something about it is computed, complex, or two-sided."""
    names = [*node.input, "", "", ""][1:4]
    step, window, length = (constants.get(name) for name in names)
    if step is None or (names[1] and window is None) or (names[2] and length is None):
        return None
    if not attribute(node, "onesided", 1) or sound.dtype != np.float32:
        return None
    if sound.ndim not in (2, 3) or (sound.ndim == 3 and sound.shape[2] != 1):
        return None
    if window is None and length is None:
        return None
    n_fft = int(np.ravel(length)[0]) if length is not None else len(window)  # type: ignore[arg-type]
    taper = np.ones(n_fft) if window is None else np.ravel(window).astype(np.float64)
    hop, samples = int(np.ravel(step)[0]), sound.shape[1]
    if len(taper) != n_fft or n_fft < 4 or hop < 1 or samples < n_fft:
        return None
    return _Frames(n_fft=n_fft, hop=hop, window=taper, samples=samples)


def _transformed(
    node: onnx.NodeProto, sound: Values, constants: Mapping[str, Values]
) -> int | None:
    """The size of a one-sided DFT of whole real frames in the last axis but one; else None."""
    length = constants.get(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    if len(node.input) > 1 and node.input[1] and length is None:
        return None
    last = sound.ndim - 2
    if (
        not attribute(node, "onesided", 0)
        or attribute(node, "inverse", 0)
        or sound.dtype != np.float32
        or sound.ndim < 3
        or sound.shape[-1] != 1
        or attribute(node, "axis", 1) not in (last, -2)
    ):
        return None
    size = sound.shape[last]
    return size if length is None or int(np.ravel(length)[0]) == size else None


def _factored(build: Builder, node: onnx.NodeProto, frames: _Frames) -> None:
    """Rule 1. [B, T(, 1)] -> [B, N, bins, 2]."""
    split = best_split(frames.n_fft, frames.hop)
    assert split is not None
    n1, n2 = split
    kernels = factored_kernels(frames.window, n1, n2, frames.bins)
    blocks, steps = frames.samples // n2, frames.hop // n2
    x = build.node("Reshape", node.input[0], build.ints(-1, frames.samples))
    if blocks * n2 < frames.samples:
        x = build.node("Slice", x, build.ints(0), build.ints(blocks * n2), build.ints(1))
    x = build.node("Reshape", x, build.ints(-1, blocks, n2))
    x = build.node("Transpose", x, perm=[0, 2, 1])
    inner = build.constant(kernels["inner"].astype(np.float32))
    x = build.node("Conv", x, inner, strides=[steps], group=n2)
    x = build.node("Reshape", x, build.ints(-1, n2, n1, frames.count))
    x = build.node("Transpose", x, perm=[0, 2, 1, 3])
    x = build.node("Reshape", x, build.ints(-1, n1 // 2, 2 * n2, frames.count))
    outer = _with_phase(kernels["outer"], n1, n2)
    x = build.node("MatMul", build.constant(outer.astype(np.float32)), x)
    # Real rows over imaginary rows for each k1: bin by bin, real and imaginary side by side.
    x = build.node("Reshape", x, build.ints(-1, outer.shape[0] * outer.shape[1], frames.count))
    k1, row = np.divmod(kernels["order"].astype(np.int64), n2 + 1)
    real = k1 * 2 * (n2 + 1) + row
    rows = np.stack([real, real + n2 + 1], axis=1).reshape(-1)
    x = build.node("Gather", x, build.ints(*rows), axis=1)
    _give(build, node, x, frames)


def _convolved(build: Builder, node: onnx.NodeProto, frames: _Frames) -> None:
    """Rule 2. [B, T(, 1)] -> [B, N, bins, 2]."""
    kernel = (_interleaved(frames.n_fft) * frames.window)[:, None].astype(np.float32)
    x = build.node("Reshape", node.input[0], build.ints(-1, 1, frames.samples))
    x = build.node("Conv", x, build.constant(kernel), strides=[frames.hop])
    _give(build, node, x, frames)


def _by_definition(build: Builder, node: onnx.NodeProto, frames: _Frames) -> None:
    """In double precision, frame by frame. [B, T(, 1)] -> [B, N, bins, 2]."""
    starts = frames.hop * np.arange(frames.count)
    places = build.constant(starts[:, None] + np.arange(frames.n_fft))
    x = build.node("Reshape", node.input[0], build.ints(-1, frames.samples))
    x = build.node("Gather", x, places, axis=1)
    x = _product(build, x, _interleaved(frames.n_fft) * frames.window, exactly=True)
    size = build.ints(-1, frames.count, frames.bins, 2)
    build.node("Reshape", x, size, name=node.output[0])


def _product(build: Builder, x: str, rows: Floats, *, exactly: bool) -> str:
    """[.., n] times rows [K, n] -> [.., K], float32."""
    if not exactly:
        return build.node("MatMul", x, build.constant(rows.T.astype(np.float32)))
    x = build.node("Cast", x, to=TensorProto.DOUBLE)
    x = build.node("MatMul", x, build.constant(rows.T))
    return build.node("Cast", x, to=TensorProto.FLOAT)


def _give(build: Builder, node: onnx.NodeProto, x: str, frames: _Frames) -> None:
    """[B, bins * 2, N], real and imaginary side by side -> what the operator gave."""
    x = build.node("Transpose", x, perm=[0, 2, 1])
    size = build.ints(-1, frames.count, frames.bins, 2)
    build.node("Reshape", x, size, name=node.output[0])


def _with_phase(outer: Floats, n1: int, n2: int) -> Floats:
    """Outer matrices whose rows above the middle give their bin, not its mirror image."""
    turned = outer.reshape(n1 // 2, 2, n2 + 1, 2 * n2).copy()
    k = np.arange(1, n1 // 2)[:, None] + n1 * np.arange(n2)
    turned[1:, 1, :n2] *= np.where(k > n1 * n2 // 2, -1.0, 1.0)[:, :, None]
    return turned.reshape(outer.shape)


def _interleaved(n: int) -> Floats:
    """[2 * bins, n]: for each bin its cosine, then its negative sine."""
    rows = fourier_rows(np.arange(n // 2 + 1), np.arange(n), n)
    return np.stack(rows, axis=1).reshape(-1, n)


def _is_power_of_two(n: int) -> bool:
    return n & (n - 1) == 0
