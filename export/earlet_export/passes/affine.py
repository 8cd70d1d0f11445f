"""A scale and a shift per channel, scale * x + shift: what a batch norm is once it is trained."""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from earlet_export.passes.wiring import Wiring, attribute

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine:
    """Over the channels [C] that lie along `axis` of a tensor; in float64."""

    scale: Floats
    shift: Floats
    axis: int

    @classmethod
    def of(cls, node: onnx.NodeProto, wiring: Wiring) -> "Affine | None":
        """A BatchNormalization's; None where its numbers are no constants."""
        numbers = [wiring.value(name) for name in node.input[1:5]]
        if len(node.output) > 1 or any(n is None for n in numbers):
            return None
        weight, bias, mean, variance = (np.asarray(n, dtype=np.float64) for n in numbers)
        scale = weight / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        return cls(scale=scale, shift=bias - mean * scale, axis=1)

    @property
    def positive(self) -> bool:
        """Whether it keeps the order of values: all scales above 0."""
        return bool((self.scale > 0).all())

    @property
    def shifts(self) -> bool:
        """Whether it moves 0."""
        return bool(self.shift.any())

    def along(self, rank: int) -> tuple[Floats, Floats]:
        """Scale and shift as arrays that broadcast over a tensor of that rank."""
        shape = [1] * rank
        shape[self.axis] = -1
        return self.scale.reshape(shape), self.shift.reshape(shape)

    def scaling(self) -> "Affine":
        """The scale alone: this is `shifting` of it."""
        return Affine(scale=self.scale, shift=np.zeros_like(self.shift), axis=self.axis)

    def shifting(self) -> "Affine":
        """The shift alone, to come after the scale."""
        return Affine(scale=np.ones_like(self.scale), shift=self.shift, axis=self.axis)

    def moved(self, axis: int) -> "Affine":
        """The same with the channels along another axis."""
        return Affine(scale=self.scale, shift=self.shift, axis=axis)

    def part(self, begin: int, end: int) -> "Affine":
        """Of some of the channels."""
        return Affine(scale=self.scale[begin:end], shift=self.shift[begin:end], axis=self.axis)

    def repeated(self, times: int) -> "Affine":
        """Every channel's numbers so many times in a row: of a map laid out flat."""
        return Affine(
            scale=self.scale.repeat(times), shift=self.shift.repeat(times), axis=self.axis
        )

    def twice(self) -> "Affine":
        """For two runs of the same channels, one after the other."""
        return Affine(scale=np.tile(self.scale, 2), shift=np.tile(self.shift, 2), axis=self.axis)

    def among(self, channels: int, begin: int) -> "Affine":
        """As part of more channels, of which the others are left alone."""
        scale, shift = np.ones(channels), np.zeros(channels)
        scale[begin : begin + len(self.scale)] = self.scale
        shift[begin : begin + len(self.scale)] = self.shift
        return Affine(scale=scale, shift=shift, axis=self.axis)
