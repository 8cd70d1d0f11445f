"""A recording's spectrogram as a square grey picture, for networks that read photographs.

The source is a student project ("Be ware of what you hear", known from its slides only), which
wrote spectrograms to PNG files and read them back at 224 x 224. Its transform is torchaudio's with
sizes that are not given; here they are torchaudio's defaults. No file and no colour map lie
between: a colour map is a fixed function of the grey value, and its choice is not given either.
"""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from earlet_train.frontends.clip_level import within_range
from earlet_train.frontends.dft import PowerDft
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.imagenet import with_channels
from earlet_train.frontends.resize import resized
from earlet_train.ranges import Count, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class SpectrogramImageSettings:
    """Defaults: torchaudio's Spectrogram (n_fft 400, hop 200, Hann, power, reflect), 224 x 224.

    `floor`: power below it counts as it (torchaudio's 1e-10). `range_db`: values more than this
    below the clip's loudest are drawn as black (0: the quietest value is). Ours, not the source's:
    one digital zero would otherwise take half of the grey scale. `channels`: 1, in [0, 1], or 3,
    the same picture thrice, scaled as weights from ImageNet expect.
    """

    n_fft: Count = 400
    hop_samples: Count = 200
    size: Count = 224
    channels: Literal[1, 3] = 1
    floor: Positive = 1e-10
    range_db: NotNegative = 80.0

    def __post_init__(self) -> None:
        if self.size < 2:
            raise ValueError(f"a picture needs at least 2 rows, found size = {self.size}")


class SpectrogramImage(Frontend):
    """Waveform [B, T] -> picture [B, channels, size, size].

    Power in dB; each clip's darkest value becomes 0 and its brightest 1; then resized bilinearly,
    without antialiasing. Seen as a picture: the first row is the highest frequency, the last row
    0 Hz, time runs to the right.
    """

    Settings = SpectrogramImageSettings
    # A clip whose values span less than this is not stretched to full contrast: silence, whose
    # span is 0, becomes an even black.
    smallest_span_db = 1.0

    def __init__(self, settings: SpectrogramImageSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        self.dft = PowerDft(
            n_fft=settings.n_fft, hop_samples=settings.hop_samples, window="hann", centre="reflect"
        )

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
        """Waveform [B, T] -> picture [B, C, size, size]. Raises ValueError for T <= n_fft / 2."""
        s = self.settings
        if waveform.shape[1] <= s.n_fft // 2:
            raise ValueError(
                f"found windows of {waveform.shape[1]} samples, expected more than n_fft / 2 = "
                f"{s.n_fft // 2}, which are mirrored at the ends: make n_fft smaller"
            )
        # clamp, not "+ eps": the exporter deletes an addition of 1e-8 or less.
        decibels = self.dft(waveform).clamp(min=s.floor).log() * (10 / math.log(10))
        decibels = within_range(decibels, span=s.range_db)
        lowest = decibels.amin(dim=(1, 2), keepdim=True)
        span_db = decibels.amax(dim=(1, 2), keepdim=True) - lowest
        grey = (decibels - lowest) / span_db.clamp(min=self.smallest_span_db)
        return with_channels(resized(grey.flip(1), s.size, s.size), s.channels)
