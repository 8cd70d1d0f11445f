"""The picture of the published Spec-ResNet: a peak-normalised recording's spectrogram in dB."""

import math
from dataclasses import dataclass

from torch import Tensor

from earlet_train.frontends.clip_level import peak_normalised, within_range
from earlet_train.frontends.dft import Centre, PowerDft, looks_ahead
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.windows import Window
from earlet_train.ranges import Count, Positive


@dataclass(frozen=True, kw_only=True)
class SpectrogramSettings:
    """Defaults: Alzantot, Wang, Srivastava (Interspeech 2019), 1025 x 126 from 64,000 samples.

    `peak_normalise`: scale each clip to a largest magnitude of 1 first. `floor`: power below it
    counts as it. `range_db`: values more than this below the clip's loudest are raised to there
    (0 = never).
    """

    n_fft: Count = 2048
    hop_samples: Count = 512
    window: Window = "hann"
    centre: Centre = "reflect"
    peak_normalise: bool = True
    floor: Positive = 1e-10
    range_db: float = 80.0


class Spectrogram(Frontend):
    """Waveform [B, T] -> features [B, 1, n_fft // 2 + 1, N], power in dB (10 log10 |X|^2).

    The reference level of the published code is 1, not the clip's maximum; the range limit is
    taken per clip.
    """

    Settings = SpectrogramSettings

    def __init__(self, settings: SpectrogramSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        self.dft = PowerDft(
            n_fft=settings.n_fft,
            hop_samples=settings.hop_samples,
            window=settings.window,
            centre=settings.centre,
        )

    def why_not_streaming(self) -> str:
        """Whatever is measured on the whole clip."""
        s = self.settings
        reasons = [
            "peak_normalise divides by the clip's peak: set it to false"
            if s.peak_normalise
            else "",
            "range_db looks for the clip's loudest bin: set it to 0" if s.range_db else "",
            looks_ahead(s.centre),
        ]
        return "; ".join(filter(None, reasons))

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> decibels [B, 1, F, N]."""
        if self.settings.peak_normalise:
            waveform = peak_normalised(waveform)
        # clamp, not "+ eps": the exporter deletes an addition of 1e-8 or less.
        power = self.dft(waveform).clamp(min=self.settings.floor)
        decibels: Tensor = power.log() * (10 / math.log(10))
        return within_range(decibels, span=self.settings.range_db)[:, None]
