"""Linear-frequency cepstra with their slopes: the front end of the ASVspoof baselines."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from earlet_train.frontends.deltas import difference, valid_slope, with_slopes
from earlet_train.frontends.dft import Centre, PowerDft, looks_ahead
from earlet_train.frontends.filters import cosine_transform, linear_filters
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.pre_emphasis import FirstSample, keeps_first, pre_emphasised
from earlet_train.frontends.windows import Sampling
from earlet_train.ranges import Count, Natural, NotNegative


@dataclass(frozen=True, kw_only=True)
class LfccSettings:
    """Defaults: the LFCC of the 2021 baseline, 60 x 401 from 64,000 samples at 16 kHz.

    `definition`: what two baselines mean by LFCC. Both pre-emphasize by 0.97, take Hamming windows
    of 20 ms every 10 ms, triangular filters of equal width, log10 and the orthonormal DCT-II.

    - `2021` (LFCC-LCNN): n_fft 1024, frames centred with zeros beyond the edges, filters over the
      lower half of the spectrum only (its code ends them at bin 255, 3984 Hz), coefficient 0
      replaced by the log energy of that half.
    - `2019` (LFCC-GMM, MATLAB): n_fft 512, whole frames only (MATLAB also fills a last one up with
      zeros), filters over all of the spectrum, a symmetric window.

    The other settings depart from them. `centre`: "published" = the definition's. `high_hz`: where
    the filters end, 0 = the definition's. `floor`: energy below it counts as it, 0 = the
    definition's (the 2021 code adds as much instead). `slopes`: how often x[n + 1] - x[n - 1] is
    taken. `slope_edges`: `repeat` the clip's first and last frame, or `valid`, leave out the
    frames that miss a neighbour. `first_sample`: of the pre-emphasis, see there.
    """

    definition: Literal["2021", "2019"] = "2021"
    filters: Count = 20
    coefficients: Count = 20
    centre: Centre | Literal["published"] = "published"
    high_hz: NotNegative = 0.0
    floor: NotNegative = 0.0
    slopes: Natural = 2
    slope_edges: Literal["repeat", "valid"] = "repeat"
    first_sample: FirstSample = "kept"

    def __post_init__(self) -> None:
        if self.coefficients > self.filters:
            raise ValueError(
                f"coefficients must not exceed filters = {self.filters}, found {self.coefficients}"
            )


@dataclass(frozen=True, kw_only=True)
class Definition:
    """`half`: filters and energy stop at the last bin below a quarter of the rate."""

    n_fft: int
    centre: Centre
    sampling: Sampling
    half: bool
    energy: bool
    floor: float


DEFINITIONS = {
    # Its floor is float32's epsilon.
    "2021": Definition(
        n_fft=1024, centre="zero", sampling="periodic", half=True, energy=True, floor=2**-23
    ),
    # MATLAB's floor, 2.2e-16, lies below what a float32 transform resolves.
    "2019": Definition(
        n_fft=512, centre="none", sampling="symmetric", half=False, energy=False, floor=1e-10
    ),
}
PRE_EMPHASIS, WINDOW_S, HOP_S = 0.97, 0.020, 0.010


class Lfcc(Frontend):
    """Waveform [B, T] -> features [B, 1, (1 + slopes) * coefficients, N], log10 of power."""

    Settings = LfccSettings
    triangles: Tensor
    cosines: Tensor

    def __init__(self, settings: LfccSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        self.definition = definition = DEFINITIONS[settings.definition]
        self.floor = settings.floor or definition.floor
        self.centre: Centre = (
            definition.centre if settings.centre == "published" else settings.centre
        )
        bin_hz = sample_rate_hz / definition.n_fft
        # int(0.5 * 513) = 256 bins are kept of 513, so the last one is 255.
        top = (definition.n_fft // 2 + 1) // 2 - 1 if definition.half else definition.n_fft // 2
        high_hz = settings.high_hz or top * bin_hz
        triangles = linear_filters(
            n_fft=definition.n_fft,
            sample_rate_hz=sample_rate_hz,
            filters=settings.filters,
            low_hz=0.0,
            high_hz=high_hz,
        )
        bins = int(high_hz / bin_hz + 1e-6) + 1
        triangles = triangles[:, :bins]
        cosines = cosine_transform(coefficients=settings.coefficients, values=settings.filters)
        if definition.energy:
            # One filter more, whose logarithm takes the place of coefficient 0. (Not a sum over the
            # bins: ONNX Runtime adds it up in another order where a batch has one clip, and of many
            # streams at once each would hear something else than alone.)
            flat = torch.full((1, bins), 1 / definition.n_fft)
            triangles = torch.cat([triangles, flat])
            cosines = torch.cat([cosines, torch.zeros(len(cosines), 1)], dim=1)
            cosines[0] = 0
            cosines[0, -1] = 1
        self.register_buffer("triangles", triangles.clone(), persistent=False)
        self.register_buffer("cosines", cosines, persistent=False)
        self.dft = PowerDft(
            n_fft=definition.n_fft,
            window_samples=round(WINDOW_S * sample_rate_hz),
            hop_samples=round(HOP_S * sample_rate_hz),
            window="hamming",
            sampling=definition.sampling,
            centre=self.centre,
            bins=bins,
        )

    def why_not_streaming(self) -> str:
        """Whatever waits for samples to come, or for the clip's end."""
        s = self.settings
        repeated = "slope_edges = 'repeat' repeats the clip's last frame: set it to 'valid'"
        at_edges = repeated if s.slopes and s.slope_edges == "repeat" else ""
        first = keeps_first(PRE_EMPHASIS, s.first_sample)
        return "; ".join(filter(None, [looks_ahead(self.centre), at_edges, first]))

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> cepstra and slopes [B, 1, F, N]."""
        emphasised = pre_emphasised(waveform, PRE_EMPHASIS, first=self.settings.first_sample)
        power: Tensor = self.dft(emphasised)
        cepstra = self.cosines @ self._log10(self.triangles @ power)
        slope = difference if self.settings.slope_edges == "repeat" else valid_difference
        return with_slopes(cepstra, slope, orders=self.settings.slopes)[:, None]

    def _log10(self, x: Tensor) -> Tensor:
        # clamp, not "+ eps": the exporter deletes an addition of 1e-8 or less.
        return x.clamp(min=self.floor).log10()


def valid_difference(x: Tensor) -> Tensor:
    """Features [..., N] -> x[n + 1] - x[n - 1] where both are there [..., N - 2]."""
    return valid_slope(x, weights=(1.0,))
