"""A recording's waveform drawn as a square picture, as an audio editor shows it.

The source is a student project ("Be ware of what you hear", known from its slides only), which
plotted waveforms to PNG files. Drawing software is no part of a network; what it draws for many
samples per column is, to within the edge of the line, this: in each column a stroke from the
smallest sample to the largest.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from earlet_train.frontends.clip_level import peak_normalised
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.imagenet import with_channels
from earlet_train.ranges import Count


@dataclass(frozen=True, kw_only=True)
class WaveformImageSettings:
    """Defaults: 224 x 224, one channel.

    `scale`: the picture's height is the clip's peak (`peak`, as plotting software chooses its
    axis), or full scale (`full-scale`). `edge`: pixels that the stroke covers in part are grey in
    proportion (`soft`, as plotting software draws), or a pixel is drawn whole or not at all
    (`hard`). `channels`: 1, in [0, 1], or 3, the same picture thrice, scaled as weights from
    ImageNet expect.
    """

    size: Count = 224
    channels: Literal[1, 3] = 1
    scale: Literal["peak", "full-scale"] = "peak"
    edge: Literal["soft", "hard"] = "soft"

    def __post_init__(self) -> None:
        if self.size < 2:
            raise ValueError(f"a picture needs at least 2 rows, found size = {self.size}")


class WaveformImage(Frontend):
    """Waveform [B, T] -> picture [B, channels, size, size], stroke 1 on ground 0.

    The first row is the amplitude +1, the last row -1, time runs to the right. A stroke is at least
    one pixel high, and reaches to the first sample of the next column, so the line never breaks.
    Beyond full scale it stays at the picture's edge.
    """

    Settings = WaveformImageSettings

    def __init__(self, settings: WaveformImageSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        rows = torch.arange(settings.size, dtype=torch.float32)[:, None]
        self.register_buffer("rows", rows, persistent=False)

    def why_not_streaming(self) -> str:
        """By its nature: one picture of the whole clip."""
        return "one picture of the whole clip: take 'bands' or 'spectrogram' for a stream"

    def why_fixed_length(self) -> str:
        """The picture's width."""
        return (
            f"every clip is drawn over the same {self.settings.size} columns, so that a longer one "
            "would look faster than what the model was trained on: take 'bands' or 'spectrogram'"
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> picture [B, C, size, size]. Raises ValueError for T < size."""
        s = self.settings
        if waveform.shape[1] < s.size:
            raise ValueError(
                f"found windows of {waveform.shape[1]} samples, expected at least size = {s.size}, "
                "one for each column: make the window longer or the picture smaller"
            )
        if s.scale == "peak":
            waveform = peak_normalised(waveform)
        # The axis in pixels, growing downwards: +1 is 0, -1 is size. Half a pixel from either end
        # is as far as the middle of a line of one pixel gets.
        down = ((1 - waveform) * (s.size / 2)).clamp(0.5, s.size - 0.5)
        top, bottom = (ends[:, None] for ends in strokes(down, s.size))
        if s.edge == "soft":
            # How much of the pixel from `rows` to `rows + 1` lies within the stroke.
            covered = (bottom + 0.5).minimum(self.rows + 1) - (top - 0.5).maximum(self.rows)
            picture = covered.clamp(0, 1)
        else:
            # The pixels that hold the ends, and those between: never none. The lowest end, size -
            # 0.5, still lies within the last row.
            inside = (self.rows >= top.floor()) & (self.rows <= bottom.floor())
            picture = inside.to(waveform.dtype)
        return with_channels(picture, s.channels)

    rows: Tensor


def strokes(signal: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """Signal [B, T], T >= columns -> smallest and largest value in each column, [B, columns] each.

    The first T % columns columns hold one sample more than the others (as numpy.array_split cuts),
    and each also touches the first sample of the next: slices and reshapes, for any length.
    """
    short, longer = divmod(signal.shape[1], columns)
    cut = longer * (short + 1)
    parts = [
        part.reshape(-1, count, samples)
        for part, count, samples in (
            (signal[:, :cut], longer, short + 1),
            (signal[:, cut:], columns - longer, short),
        )
        if count
    ]
    first = torch.cat([part[:, :, 0] for part in parts], dim=1)
    following = torch.cat([first[:, 1:], first[:, -1:]], dim=1)
    smallest = torch.cat([part.amin(dim=2) for part in parts], dim=1)
    largest = torch.cat([part.amax(dim=2) for part in parts], dim=1)
    return smallest.minimum(following), largest.maximum(following)
