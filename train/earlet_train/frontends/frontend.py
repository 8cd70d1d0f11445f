"""What every frontend is: sound in, picture out, all decisions about padding inside."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn


class Frontend(nn.Module, ABC):
    """Waveform [B, T] in [-1, 1] -> features [B, C, F, N].

    Built from its own `Settings` (the recipe's [frontend] table) and the rate in Hz. Uses only
    operations that export to plain ONNX with dynamic batch, and treats every clip of a batch
    alone: no statistic crosses the batch. Digital silence gives finite features.
    """

    Settings: ClassVar[type[Any]]

    @abstractmethod
    def __init__(self, settings: Any, *, sample_rate_hz: int) -> None:
        super().__init__()

    @abstractmethod
    def why_not_streaming(self) -> str:
        """What in it needs the whole clip at once, and what to change; empty: nothing."""

    def why_fixed_length(self) -> str:
        """What in it suits clips of one length alone, and what to change; empty: nothing.

        What nothing is said about is found out by tracing (`earlet export --length any`).
        """
        return ""

    @abstractmethod
    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> features [B, C, F, N]."""
