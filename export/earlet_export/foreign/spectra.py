"""Writes out the spectra of a foreign model, as products that run fast everywhere.

`torch.stft` and torchaudio's spectrograms export as ONNX's STFT, `torch.fft.rfft` as its DFT. ONNX
Runtime computes both slowly, and where the size is no power of two (torchaudio's default is 400)
also inexactly: by Bluestein's algorithm in float32, several nepers off in quiet bins at worst. What
such a file means is then told by the same graph with these operators in double precision. Others
write the transform as a convolution with tapered cosines and sines: exact, and three times as slow
as need be.

Preconditions: values that never change are constants, the length is one (`freeze`).
Rules, each only where it wins:

1. An STFT of real sound whose size and hop split, n_fft = N1 * N2 with N1 and N2 even and hop a
   multiple of N2, becomes one step of Cooley and Tukey: a strided convolution and a small product.
2. Any other STFT whose size is no power of two becomes a convolution.
3. A DFT of real frames becomes a product, where the size is no power of two or at most 512.
4. A convolution whose kernels are tapered cosines, or sines, or first the ones and then the others,
   of bins from 0 Hz on, becomes rule 1's where it splits. Two of the same sound share one.

With `exactly` instead each operator of rules 1 to 3 becomes its definition in double precision:
slow, a yardstick.

Postcondition: every tensor that is left has its name, its sizes, and its values within rounding.
`earlet adopt` holds the result against the untouched model, or where that is inexact against the
yardstick, and takes the operators back where that fails.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from earlet_export.foreign.graph import Builder, Values, probe
from earlet_export.foreign.spectrum_forms import (
    Frames,
    Rows,
    Spectrum,
    by_definition,
    convolved,
    factored,
    in_double,
    interleaved,
)
from earlet_export.passes.wiring import attribute
from earlet_train.frontends.dft_kernels import Floats, fourier_rows

# How the names of the nodes that it makes begin.
SPECTRUM = "spectrum."
# Beyond it the operator is no slower than a product, where the size is a power of two.
_PRODUCT_UP_TO = 512
# Fewer kernels than these are a learned layer, or not worth it.
_FEWEST_BINS = 16
# Kernels in float32, taken from formulas in whatever way, are no farther from ours than this.
_ALIKE = 2e-5


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
    weights = {w.name: w.dims for w in model.graph.initializer}
    found = [node for node in model.graph.node if _may_be_one(node, weights)]
    ends = sorted({node.input[0] for node in found} - set(feed))
    values = dict(feed) | (probe(model, ends, feed, source=source) if ends else {})
    written = onnx.ModelProto()
    written.CopyFrom(model)
    del written.graph.node[:]
    writer = _Writer(model, written.graph, values, exactly=exactly)
    for node in model.graph.node:
        if not (_may_be_one(node, weights) and writer.writes(node)):
            written.graph.node.append(node)
    return Written(model=written, count=writer.count, inexact=writer.inexact)


def _may_be_one(node: onnx.NodeProto, weights: Mapping[str, Sequence[int]]) -> bool:
    """Whether it is worth a look: a spectrum, or a convolution over one channel of sound."""
    if node.op_type == "Conv":
        sizes = weights.get(node.input[1], ())
        return len(sizes) == 3 and sizes[0] >= _FEWEST_BINS and sizes[1] == 1
    return node.op_type in ("STFT", "DFT")


class _Writer:
    """Puts nodes behind those of `graph`; `values`: what each of the operators takes."""

    def __init__(
        self,
        model: onnx.ModelProto,
        graph: onnx.GraphProto,
        values: Mapping[str, Values],
        *,
        exactly: bool,
    ) -> None:
        self.graph, self.values, self.exactly = graph, values, exactly
        self.constants = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
        sizes = {w.name: w.dims for w in model.graph.initializer}
        self.convolutions = [
            n for n in model.graph.node if n.op_type == "Conv" and _may_be_one(n, sizes)
        ]
        self.made: list[tuple[str, Frames, Spectrum]] = []
        self.count, self.inexact = 0, False

    def writes(self, node: onnx.NodeProto) -> bool:
        """Put the written-out form in the place of an operator, where a rule says so."""
        build = Builder(self.graph, place=f"{SPECTRUM}{self.count}")
        kinds = {"STFT": self._stft, "DFT": self._dft, "Conv": self._convolution}
        done = kinds[node.op_type](node, build)
        self.count += done
        return done

    def _stft(self, node: onnx.NodeProto, build: Builder) -> bool:
        """Rules 1 and 2: [B, T(, 1)] -> [B, N, bins, 2]."""
        frames = _frames(node, self.values[node.input[0]], self.constants)
        power = frames is not None and _is_power_of_two(frames.n_fft)
        if frames is None or (power and frames.split is None):
            return False
        size = build.ints(-1, frames.count, frames.bins, 2)
        if self.exactly:
            x = by_definition(build, node.input[0], frames)
        else:
            make = convolved if frames.split is None else factored
            spectrum = make(build, node.input[0], frames)
            side_by_side = np.stack([spectrum.real, spectrum.imaginary], axis=1).reshape(-1)
            x = _rows(build, spectrum, side_by_side)
            x = build.node("Transpose", x, perm=[0, 2, 1])
        build.node("Reshape", x, size, name=node.output[0])
        self.inexact |= not power
        return True

    def _dft(self, node: onnx.NodeProto, build: Builder) -> bool:
        """Rule 3: [.., n, 1] -> [.., bins, 2]."""
        sound = self.values[node.input[0]]
        size = _transformed(node, sound, self.constants)
        if size is None or (_is_power_of_two(size) and size > _PRODUCT_UP_TO):
            return False
        lead = sound.shape[1:-2]
        kernels = interleaved(Frames(n_fft=size, hop=1, taper=np.ones(size), samples=size))
        flat = build.node("Reshape", node.input[0], build.ints(-1, *lead, size))
        if self.exactly:
            spun = in_double(build, flat, kernels)
        else:
            spun = build.node("MatMul", flat, build.constant(kernels.T.astype(np.float32)))
        shape = build.ints(-1, *lead, size // 2 + 1, 2)
        build.node("Reshape", spun, shape, name=node.output[0])
        self.inexact |= not _is_power_of_two(size)
        return True

    def _convolution(self, node: onnx.NodeProto, build: Builder) -> bool:
        """Rule 4: [B, 1, T] -> [B, K, N]."""
        kernels = self._kernels(node)
        if kernels is None or self.exactly:
            return False
        for taper in self._tapers(node, kernels):
            for n_fft in _sizes(len(kernels), len(taper)):
                parts = _parts(kernels, taper, n_fft)
                frames = Frames(
                    n_fft=n_fft,
                    hop=attribute(node, "strides", [1])[0],
                    taper=taper,
                    samples=self.values[node.input[0]].shape[2],
                )
                if parts is not None and frames.split is not None:
                    self._put(node, build, frames, parts)
                    return True
        return False

    def _put(self, node: onnx.NodeProto, build: Builder, frames: Frames, parts: str) -> None:
        spectrum = self._shared(node.input[0], frames, build)
        bins = len(self.constants[node.input[1]]) // len(parts)
        of_part = {"c": spectrum.real, "s": spectrum.imaginary, "S": spectrum.imaginary}
        x = _rows(build, spectrum, np.concatenate([of_part[part][:bins] for part in parts]))
        # Ours is the negative sine.
        signs = np.repeat([-1.0 if part == "S" else 1.0 for part in parts], bins)
        build.node("Mul", x, build.constant(signs[:, None].astype(np.float32)), name=node.output[0])

    def _shared(self, sound: str, frames: Frames, build: Builder) -> Spectrum:
        for source, other, spectrum in self.made:
            same = (source, other.n_fft, other.hop) == (sound, frames.n_fft, frames.hop)
            if same and np.array_equal(other.taper, frames.taper):
                return spectrum
        spectrum = factored(build, sound, frames)
        self.made.append((sound, frames, spectrum))
        return spectrum

    def _kernels(self, node: onnx.NodeProto) -> Floats | None:
        """[K, w] of a plain strided convolution over sound; else None."""
        weight = self.constants.get(node.input[1])
        sound = self.values.get(node.input[0])
        bias = self.constants.get(node.input[2]) if len(node.input) > 2 else None
        plain = (
            weight is not None
            and sound is not None
            and weight.dtype == sound.dtype == np.float32
            and sound.ndim == 3
            and sound.shape[1] == 1
            and sound.shape[2] >= weight.shape[2]
            and (len(node.input) < 3 or (bias is not None and not bias.any()))
            and not any(attribute(node, "pads", [0]))
            and set(attribute(node, "dilations", [1])) == {1}
            and attribute(node, "group", 1) == 1
            and attribute(node, "auto_pad", b"NOTSET") == b"NOTSET"
        )
        if not plain:
            return None
        assert weight is not None
        return weight[:, 0].astype(np.float64)

    def _tapers(self, node: onnx.NodeProto, kernels: Floats) -> list[Floats]:
        """A kernel at 0 Hz is the taper: this one's, or that of its twin with the cosines."""
        found = [kernels[0]]
        for other in self.convolutions:
            if other.input[0] == node.input[0] and other.input[1] != node.input[1]:
                twin = self._kernels(other)
                if twin is not None and twin.shape == kernels.shape:
                    found.append(twin[0])
        return found


def _sizes(kernels: int, width: int) -> list[int]:
    """What n_fft may be: the frame's width, or what so many bins say.

    (With half the rate or without, and one kernel for each bin or two.)
    """
    return sorted({width, 2 * kernels, 2 * (kernels - 1), kernels, kernels - 2})


def _parts(kernels: Floats, taper: Floats, n_fft: int) -> str | None:
    """What the kernels [K, w] are: `c`osines, negative `s`ines, `S`ines, `cs` or `cS`; or None."""
    if n_fft < len(taper) or n_fft % 4 or not taper.any():
        return None
    for parts in ("c", "s", "S", "cs", "cS"):
        bins, left = divmod(len(kernels), len(parts))
        if left or bins > n_fft // 2 + 1 or bins < _FEWEST_BINS:
            continue
        cosine, sine = fourier_rows(np.arange(bins), np.arange(len(taper)), n_fft)
        rows = {"c": cosine, "s": sine, "S": -sine}
        meant = np.concatenate([rows[part] for part in parts]) * taper
        if np.abs(meant - kernels).max() <= _ALIKE * np.abs(taper).max():
            return parts
    return None


def _rows(build: Builder, spectrum: Spectrum, rows: Rows) -> str:
    """[B, R, N] -> those rows."""
    return build.node("Gather", spectrum.tensor, build.ints(*rows), axis=1)


def _frames(node: onnx.NodeProto, sound: Values, constants: Mapping[str, Values]) -> Frames | None:
    """None where something about an STFT is computed, complex, or two-sided."""
    names = [*node.input, "", "", ""][1:4]
    step, window, length = (constants.get(name) for name in names)
    if step is None or (names[1] and window is None) or (names[2] and length is None):
        return None
    if not attribute(node, "onesided", 1) or sound.dtype != np.float32:
        return None
    if sound.ndim not in (2, 3) or (sound.ndim == 3 and sound.shape[2] != 1):
        return None
    if length is not None:
        n_fft = int(np.ravel(length)[0])
    elif window is not None:
        n_fft = len(window)
    else:
        return None
    taper = np.ones(n_fft) if window is None else np.ravel(window).astype(np.float64)
    hop, samples = int(np.ravel(step)[0]), sound.shape[1]
    if len(taper) != n_fft or n_fft < 4 or hop < 1 or samples < n_fft:
        return None
    return Frames(n_fft=n_fft, hop=hop, taper=taper, samples=samples)


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


def _is_power_of_two(n: int) -> bool:
    return n & (n - 1) == 0
