"""Log power in equally wide bands, scaled by fixed numbers: the default frontend.

Linear bands, because what synthesizers leave behind sits in the upper half of the spectrum, which
mel bands blur. Nothing is measured on the recording itself (no mean, no maximum), so a frame's
features do not depend on what comes later: the same for a stream as for a file.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from earlet_train.frontends.dft import PowerDft
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.windows import Window, window_function
from earlet_train.ranges import Count, Positive, Real


@dataclass(frozen=True, kw_only=True)
class BandsSettings:
    """`bands` must divide n_fft / 2; the bin at 0 Hz is left out.

    Power is relative to a full-scale sine. `floor` -120 dB lies below the noise of 16-bit audio.
    features = (ln power - `centre_ln`) / `spread_ln`, which brings speech near mean 0, spread 1.
    """

    n_fft: Count = 512
    hop_samples: Count = 160
    window: Window = "hann"
    bands: Count = 128
    floor: Positive = 1e-12
    centre_ln: Real = -17.0
    spread_ln: Positive = 4.0

    def __post_init__(self) -> None:
        if self.n_fft % 2 or (self.n_fft // 2) % self.bands:
            raise ValueError(
                f"bands must divide n_fft / 2 = {self.n_fft / 2:g}, found {self.bands}"
            )


class Bands(Frontend):
    """Waveform [B, T] -> features [B, 1, bands, N], N = (T - n_fft) // hop + 1 whole frames."""

    Settings = BandsSettings

    def __init__(self, settings: BandsSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        self.dft = PowerDft(
            n_fft=settings.n_fft, hop_samples=settings.hop_samples, window=settings.window
        )
        # A sine of amplitude 1 in the middle of a bin has this |X|^2.
        full_scale = float((window_function(settings.window, settings.n_fft).sum() / 2) ** 2)
        wide = settings.n_fft // 2 // settings.bands
        # A band is the sum of its bins; that a mean at full scale is 1 is taken off the logarithm.
        self.unit = wide * full_scale
        # Bin 0 is constant level, no sound. First every band's first bin, then every second, ...
        picked = self.dft.places()[1 : 1 + wide * settings.bands].reshape(settings.bands, wide)
        self.register_buffer("picked", picked.T.contiguous(), persistent=False)

    def why_not_streaming(self) -> str:
        """Nothing: whole frames, fixed scaling."""
        return ""

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> scaled log power [B, 1, F, N]."""
        s = self.settings
        rows = self.dft.rows_of(waveform)
        power = sum(rows.index_select(1, bins) for bins in self.picked)
        assert isinstance(power, Tensor)
        # clamp, not "+ eps": the exporter deletes an addition of 1e-8 or less.
        logs = power.clamp(min=s.floor * self.unit).log()
        return ((logs - (s.centre_ln + math.log(self.unit))) / s.spread_ln)[:, None]

    picked: Tensor
