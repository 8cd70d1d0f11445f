"""What every adapter is: features in, features out, in float even where the model is int8."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn


class Adapter(nn.Module, ABC):
    """Features [B, C, F, N] -> features [B, C', F', N'].

    Built from its own `Settings` (the recipe's [adapter] table) and the shape [C, F, N] that it
    gets for one window. Raises ValueError where they do not fit.
    """

    Settings: ClassVar[type[Any]]

    @abstractmethod
    def __init__(self, settings: Any, *, shape: tuple[int, int, int]) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> features [B, C', F', N']."""

    @abstractmethod
    def why_not_streaming(self) -> str:
        """What in it needs the whole clip at once, and what to change; empty: nothing."""

    def why_fixed_length(self) -> str:
        """What in it suits windows of one length alone, and what to change; empty: nothing."""
        return ""

    def with_penalty(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features [B, C, F, N] -> what `forward` gives, and a number to add to the training loss.

        Nothing to add unless an adapter says otherwise.
        """
        return self(features), features.new_zeros(())
