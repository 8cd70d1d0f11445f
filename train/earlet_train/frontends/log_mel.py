"""Log-mel energies: the common picture of sound, in any of its common conventions."""

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from earlet_train.frontends.clip_level import within_range
from earlet_train.frontends.dft import Centre, PowerDft, looks_ahead
from earlet_train.frontends.filters import MelNorm, MelScale, bins_reached, mel_filters
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.windows import Window
from earlet_train.ranges import Count, Natural, NotNegative, Positive

DB_PER_NEPER = 10 / math.log(10)
"""Of power: e-fold is 4.34 dB."""


@dataclass(frozen=True, kw_only=True)
class LogMelSettings:
    """Defaults: 128 mels every 10 ms, natural log, as DiffRes takes them (101 frames a second).

    What could be read of its paper names neither window nor n_fft: 25 ms in 1024 are ours (so long
    that the narrowest filters hold a few bins). `window_samples`: 0 = n_fft. `high_hz`: 0 = half
    the rate. `log`: ln of power, or dB. `floor`: power below it counts as it. `range_db`: values
    more than this below the clip's loudest are raised to there (0 = never), in dB also where `log`
    is "ln".
    """

    n_fft: Count = 1024
    window_samples: Natural = 400
    hop_samples: Count = 160
    window: Window = "hann"
    centre: Centre = "reflect"
    mels: Count = 128
    low_hz: NotNegative = 0.0
    high_hz: NotNegative = 0.0
    scale: MelScale = "slaney"
    norm: MelNorm = "slaney"
    log: Literal["ln", "db"] = "ln"
    floor: Positive = 1e-10
    range_db: NotNegative = 0.0


class LogMel(Frontend):
    """Waveform [B, T] -> features [B, 1, mels, N], logarithm of mel-filtered power."""

    Settings = LogMelSettings
    filters: Tensor

    def __init__(self, settings: LogMelSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        filters = mel_filters(
            n_fft=settings.n_fft,
            sample_rate_hz=sample_rate_hz,
            mels=settings.mels,
            low_hz=settings.low_hz,
            high_hz=settings.high_hz or sample_rate_hz / 2,
            scale=settings.scale,
            norm=settings.norm,
        )
        bins = bins_reached(filters)
        self.register_buffer("filters", filters[:, :bins].clone(), persistent=False)
        self.dft = PowerDft(
            n_fft=settings.n_fft,
            window_samples=settings.window_samples,
            hop_samples=settings.hop_samples,
            window=settings.window,
            centre=settings.centre,
            bins=bins,
        )

    def why_not_streaming(self) -> str:
        """Whatever waits for samples to come, or for the clip's end."""
        s = self.settings
        loudest = "range_db looks for the clip's loudest value: set it to 0" if s.range_db else ""
        return "; ".join(filter(None, [loudest, looks_ahead(s.centre)]))

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> logarithms [B, 1, F, N]."""
        s = self.settings
        # clamp, not "+ eps": the exporter deletes an addition of 1e-8 or less.
        logs: Tensor = (self.filters @ self.dft(waveform)).clamp(min=s.floor).log()
        if s.log == "db":
            return within_range(logs * DB_PER_NEPER, span=s.range_db)[:, None]
        return within_range(logs, span=s.range_db / DB_PER_NEPER)[:, None]
