"""What every adapter is: features in, features out, in float even where the model is int8."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn


class Adapter(nn.Module, ABC):
    """Features [B, C, F, N] -> features [B, C', F', N'].

    Built from its own `Settings` (the recipe's [adapter] table) and the shape [C, F, N] that it
    gets for one window.
    """

    Settings: ClassVar[type[Any]]

    @abstractmethod
    def __init__(self, settings: Any, *, shape: tuple[int, int, int]) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> features [B, C', F', N']."""
