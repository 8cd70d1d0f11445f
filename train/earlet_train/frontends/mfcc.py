"""Mel-frequency cepstra with their slopes, as the published MFCC-ResNet takes them."""

import functools
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from earlet_train.frontends.clip_level import peak_normalised
from earlet_train.frontends.deltas import savitzky_golay, valid_regression, with_slopes
from earlet_train.frontends.dft import Centre
from earlet_train.frontends.filters import MelNorm, MelScale, cosine_transform
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.log_mel import LogMel, LogMelSettings
from earlet_train.frontends.windows import Window
from earlet_train.ranges import Count, Natural, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class MfccSettings:
    """Defaults: Alzantot, Wang, Srivastava (Interspeech 2019), 72 x 126 from 64,000 samples.

    These are librosa's of early 2019: a Hann window of n_fft, centred with mirrored edges, 128
    Slaney mels, dB with `range_db` below the clip's loudest, orthonormal DCT-II. `slopes`: how
    often the slope over `slope_width` frames is taken, each of the one before; 0 = the cepstra
    alone. `slope_edges`: the first and last frames take the nearest slope (`repeat`, as published),
    or are left out (`valid`). `peak_normalise`: scale each clip to a largest magnitude of 1 first.
    """

    n_fft: Count = 2048
    window_samples: Natural = 0
    hop_samples: Count = 512
    window: Window = "hann"
    centre: Centre = "reflect"
    mels: Count = 128
    low_hz: NotNegative = 0.0
    high_hz: NotNegative = 0.0
    scale: MelScale = "slaney"
    norm: MelNorm = "slaney"
    coefficients: Count = 24
    slopes: Natural = 2
    slope_width: Count = 9
    slope_edges: Literal["repeat", "valid"] = "repeat"
    peak_normalise: bool = True
    floor: Positive = 1e-10
    range_db: NotNegative = 80.0

    def __post_init__(self) -> None:
        if self.coefficients > self.mels:
            raise ValueError(
                f"coefficients must not exceed mels = {self.mels}, found {self.coefficients}"
            )
        if self.slope_width < 3 or self.slope_width % 2 == 0:
            raise ValueError(f"slope_width must be 3, 5, 7 ..., found {self.slope_width}")

    @property
    def log_mel(self) -> LogMelSettings:
        """What the cosine transform is taken of."""
        return LogMelSettings(
            n_fft=self.n_fft,
            window_samples=self.window_samples,
            hop_samples=self.hop_samples,
            window=self.window,
            centre=self.centre,
            mels=self.mels,
            low_hz=self.low_hz,
            high_hz=self.high_hz,
            scale=self.scale,
            norm=self.norm,
            log="db",
            floor=self.floor,
            range_db=self.range_db,
        )


class Mfcc(Frontend):
    """Waveform [B, T] -> features [B, 1, (1 + slopes) * coefficients, N]."""

    Settings = MfccSettings
    cosines: Tensor

    def __init__(self, settings: MfccSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        self.log_mel = LogMel(settings.log_mel, sample_rate_hz=sample_rate_hz)
        cosines = cosine_transform(coefficients=settings.coefficients, values=settings.mels)
        self.register_buffer("cosines", cosines, persistent=False)

    def why_not_streaming(self) -> str:
        """Whatever waits for samples to come, or for the clip's end."""
        s = self.settings
        reasons = [
            "peak_normalise divides by the clip's peak: set it to false"
            if s.peak_normalise
            else "",
            self.log_mel.why_not_streaming(),
            "slope_edges = 'repeat' repeats the clip's last slope: set it to 'valid'"
            if s.slopes and s.slope_edges == "repeat"
            else "",
        ]
        return "; ".join(filter(None, reasons))

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> cepstra and slopes [B, 1, F, N]. Raises ValueError for few frames."""
        if self.settings.peak_normalise:
            waveform = peak_normalised(waveform)
        cepstra = self.cosines @ self.log_mel(waveform)
        s = self.settings
        if s.slope_edges == "valid":
            slope = functools.partial(valid_regression, reach=s.slope_width // 2)
        else:
            slope = functools.partial(savitzky_golay, width=s.slope_width)
        return with_slopes(cepstra, slope, orders=self.settings.slopes)
