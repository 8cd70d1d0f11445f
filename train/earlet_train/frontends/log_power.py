"""The logarithm of the spectrum's first bins: what the Res2Net family of detectors looks at."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from earlet_train.frontends.dft import Centre, PowerDft, cheapest_form, looks_ahead
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.pre_emphasis import FirstSample, keeps_first, pre_emphasised
from earlet_train.frontends.windows import Window
from earlet_train.ranges import Count, Natural, Rate, Real


@dataclass(frozen=True, kw_only=True)
class LogPowerSettings:
    """Defaults: the F0 band of the public code beside SR-LA Res2Net, 45 x 600 from 80,000 samples.

    Its STFT is librosa's of that time, hence `reflect`. `window_samples`: 0 = n_fft. `of`: ln |X|,
    or ln |X|^2. `floor_ln`: no value is below it. `bins`: so many from 0 Hz on, 0 = all. `frames`:
    repeat the clip's frames to at least so many, keep the first so many; 0 = all that there are.
    `first_sample`: of the pre-emphasis, see there.

    The spectrogram of Res2Net (Li et al., ICASSP 2021) is n_fft 512, window_samples 400 ("povey"),
    hop 160, of "power", bins 0, frames 400. Kaldi, which made it, also removes each frame's mean
    and pre-emphasizes each frame alone; that is not copied here.
    """

    n_fft: Count = 1728
    window_samples: Natural = 0
    hop_samples: Count = 130
    window: Window = "blackman"
    centre: Centre = "reflect"
    pre_emphasis: Rate = 0.97
    of: Literal["magnitude", "power"] = "magnitude"
    floor_ln: Real = -80.0
    bins: Natural = 45
    frames: Natural = 600
    first_sample: FirstSample = "kept"


class LogPower(Frontend):
    """Waveform [B, T] -> features [B, 1, bins, frames], ln |X| or ln |X|^2, not scaled.

    In double precision up to the logarithm: below a loud sound's harmonics lie bins that float32
    fills with its own rounding, and a trained network reads it.
    """

    Settings = LogPowerSettings
    # The smallest power that float32 holds with all its digits.
    smallest_power = 1.2e-38

    def __init__(self, settings: LogPowerSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        self.dft = PowerDft(
            n_fft=settings.n_fft,
            window_samples=settings.window_samples,
            hop_samples=settings.hop_samples,
            window=settings.window,
            centre=settings.centre,
            bins=settings.bins,
            # The other one knows no double precision.
            form=cheapest_form(
                settings.n_fft,
                settings.hop_samples,
                window_samples=settings.window_samples,
                bins=settings.bins,
                factored=False,
            ),
        )

    def why_not_streaming(self) -> str:
        """Frames that reach ahead, and a fixed number of them."""
        fixed = "frames repeats a short clip and cuts a long one: set it to 0"
        s = self.settings
        reasons = [
            looks_ahead(s.centre),
            fixed if s.frames else "",
            keeps_first(s.pre_emphasis, s.first_sample),
        ]
        return "; ".join(filter(None, reasons))

    def why_fixed_length(self) -> str:
        """A fixed number of frames."""
        frames = self.settings.frames
        if not frames:
            return ""
        return f"frames = {frames} repeats a short clip and cuts a long one off: set it to 0"

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> logarithms [B, 1, F, N]."""
        s = self.settings
        sound = pre_emphasised(waveform.double(), s.pre_emphasis, first=s.first_sample)
        power: Tensor = self.dft(sound)
        logs = power.clamp(min=self.smallest_power).log() * (0.5 if s.of == "magnitude" else 1.0)
        # The published floor of e^-80 is a power that float32 cannot hold: silence is set apart.
        floor = torch.full((), s.floor_ln, dtype=logs.dtype, device=logs.device)
        logs = torch.where(power > self.smallest_power, logs.maximum(floor), floor)
        logs = logs.to(waveform.dtype)
        if s.frames:
            logs = torch.cat([logs] * -(-s.frames // logs.shape[2]), dim=2)[:, :, : s.frames]
        return logs[:, None]
