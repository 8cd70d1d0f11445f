"""Fewer frames for the model: what all adapters that shorten time have in common.

They exist to be compared: the same T frames in, the same t frames out, another way to get there.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from earlet_train.adapters.adapter import Adapter
from earlet_train.ranges import Rate


@dataclass(frozen=True, kw_only=True)
class ReductionSettings:
    """`delta`: the share of the frames that is saved, 0 <= delta < 1; t = floor(T * (1 - delta)).

    Liu et al. study 0.25, 0.5 and 0.75 (DiffRes, AAAI 2024, arXiv 2210.01719).
    """

    delta: Rate = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.delta < 1:
            raise ValueError(
                f"delta is the share of frames that is saved: found {self.delta:g}, expected at "
                "least 0 and less than 1"
            )


class Reduction(Adapter):
    """Features [B, C, F, T] -> features [B, C', F, t]; T is the one it was built for."""

    Settings = ReductionSettings

    def __init__(self, settings: ReductionSettings, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        self.shape, self.delta = shape, settings.delta
        self.kept = kept_frames(shape[2], delta=settings.delta)

    def why_not_streaming(self) -> str:
        """Where a frame lands depends on how many there are."""
        return (
            f"the adapter spreads {self.kept} frames over exactly one window of {self.shape[2]}: "
            "leave [adapter] out and take a longer hop_samples in [frontend] instead"
        )

    def why_fixed_length(self) -> str:
        """How many frames are kept is a number, not a share, once it is built."""
        return (
            f"the adapter makes {self.kept} frames of exactly {self.shape[2]}: leave [adapter] out "
            "and take a longer hop_samples in [frontend] instead"
        )

    def refuse_other(self, features: Tensor) -> None:
        """Raise ValueError for features that are not [B, *shape]."""
        if tuple(features.shape[1:]) != tuple(self.shape):
            raise ValueError(
                f"found features of shape {list(features.shape)}, expected [B, C, F, T] = "
                f"[B, {', '.join(map(str, self.shape))}], for which this adapter was built. Feed "
                "it whole windows"
            )


def kept_frames(frames: int, *, delta: float) -> int:
    """T, delta -> t = floor(T * (1 - delta)). Raises ValueError where none is left.

    100 * (1 - 0.9) is 9.999999999999998 in floating point and means 10.
    """
    kept = math.floor(frames * (1 - delta) + 1e-6)
    if kept < 1:
        raise ValueError(
            f"delta {delta:g} leaves none of {frames} frames: lower it, or make the window longer"
        )
    return kept
