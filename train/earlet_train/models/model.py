"""What every model is: a picture in, one logit per label out."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn


class Model(nn.Module, ABC):
    """Features [B, C, F, N] -> logits [B, K].

    Built from its own `Settings` (the recipe's [model] table), the shape [C, F, N] of one window's
    features and the number of labels. This is the part that becomes int8.
    """

    Settings: ClassVar[type[Any]]

    @abstractmethod
    def __init__(self, settings: Any, *, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Features [B, C, F, N] -> logits [B, K]."""
