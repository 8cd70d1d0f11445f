"""The small network of DiffRes that says how much each frame matters."""

import itertools

from torch import Tensor, nn

# Bins -> channels before, between and after the five blocks. Other sizes give an empty network in
# the published code, without a word; here they are refused.
CHANNELS = {
    128: (128, 64, 32, 16, 8, 1),
    64: (64, 64, 32, 16, 16, 1),
    40: (40, 40, 20, 10, 10, 1),
}


class FrameScorer(nn.Module):
    """Log-mel [B, F, N] -> logits [B, N], one per frame; each sees 20 frames to either side.

    82,371 parameters at F = 128, 63,579 at F = 64; about as many multiplications per frame. Raises
    ValueError for an F that the published code has no layers for.
    """

    def __init__(self, bins: int) -> None:
        super().__init__()
        if bins not in CHANNELS:
            raise ValueError(
                f"the frame scorer of diffres is defined for {sorted(CHANNELS)} bins, found "
                f"{bins}: set the number of bands in [frontend] to one of these"
            )
        widths = CHANNELS[bins]
        self.blocks = nn.Sequential(*(ResidualBlock(a, b) for a, b in itertools.pairwise(widths)))

    def forward(self, features: Tensor) -> Tensor:
        """Log-mel [B, F, N] -> logits [B, N]."""
        logits: Tensor = self.blocks(features)
        return logits[:, 0]


class ResidualBlock(nn.Module):
    """[B, C, N] -> [B, C', N]: first + second(first), where each is a step of 5 frames.

    The skip begins behind the first step, so it needs no convolution where C' differs from C.
    """

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        self.first = step(channels, wider)
        self.second = step(wider, wider)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, N] -> [B, C', N]."""
        first: Tensor = self.first(x)
        second: Tensor = self.second(first)
        return first + second


def step(channels: int, wider: int) -> nn.Sequential:
    """Convolution over 5 frames, ReLU, then batch norm: the norm comes last, as published."""
    return nn.Sequential(nn.Conv1d(channels, wider, 5, padding=2), nn.ReLU(), nn.BatchNorm1d(wider))
