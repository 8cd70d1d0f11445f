"""What every model is: a picture in, one logit per label out."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn


class Model(nn.Module, ABC):
    """Features [B, C, F, N] -> logits [B, K].

    Built from its own `Settings` (the recipe's [model] table), the shape [C, F, N] of one window's
    features and the number of labels. This is the part that becomes int8. Two halves, because some
    losses look at what the last layer gets: `embedding`, and the module `output`.

    Raises ValueError where the settings do not fit the shape.
    """

    Settings: ClassVar[type[Any]]
    output: nn.Module

    @abstractmethod
    def __init__(self, settings: Any, *, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()

    @abstractmethod
    def embedding(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> embedding [B, E], what `output` turns into logits."""

    def why_fixed_length(self) -> str:
        """What in this model suits windows of one length alone, and what to change; empty: nothing.

        What nothing is said about is found out by tracing (`earlet export --length any`).
        """
        return ""

    @property
    def note(self) -> str:
        """What must be said wherever this model is named, as that it is a reconstruction."""
        return ""

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> logits [B, K]."""
        logits: Tensor = self.output(self.embedding(features))
        return logits


def refuse_smaller(shape: tuple[int, int, int], *, halvings: int) -> None:
    """Raise ValueError where [C, F, N] has fewer bins or frames than a network can halve so often.

    Padding would let it run all the same, on a picture that is mostly padding.
    """
    _, bins, frames = shape
    if min(bins, frames) < 2**halvings:
        raise ValueError(
            f"the network halves its picture {halvings} times, which takes at least {2**halvings} "
            f"bins and frames, found {bins} and {frames}: take longer windows in [data], a shorter "
            "hop or more bins in [frontend]"
        )
