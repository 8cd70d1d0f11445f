"""Constant-Q cepstral coefficients, the picture of the published CQCC-ResNet.

Log power of a constant-Q transform, laid out again evenly in Hz (a spline through the bands), and
the cosine transform of that. Both steps are linear and know nothing of the signal, so they are one
constant matrix of 30 x 863 here. With the transform that is 0.124 billion multiplications for a
clip of 4 s, and 2.7 MB of tables in the graph.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.fft
import scipy.interpolate
import torch
from numpy.typing import NDArray
from torch import Tensor

from earlet_train.frontends.constant_q import ConstantQ, constant_q_bands
from earlet_train.frontends.deltas import regression, with_slopes
from earlet_train.frontends.frontend import Frontend
from earlet_train.ranges import Count, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class CqccSettings:
    """Defaults: CQCC 1.0 of EURECOM as called by Alzantot, Wang, Srivastava (Interspeech 2019).

    `clip_samples` must be the recipe's window: the transform sees the clip as a whole.
    `octaves` counts down from half the sample rate (9 at 16 kHz: from 15.625 Hz). A band around f
    is Q (f + `offset_hz`) wide; 228.7 Hz makes widths proportional to those of the ear (ERB).
    `first_octave_points`: points per octave in the lowest octave after the resampling to equal
    steps in Hz. `coefficients` counts c0. `delta_reach`: the slopes are those of a line through
    2 * reach + 1 frames; the published program has 3 on each side, HTK's shortest is 1.
    `floor` is added to the power before the logarithm (MATLAB's eps).
    """

    clip_samples: Count = 64_000
    bands_per_octave: Count = 96
    octaves: Count = 9
    offset_hz: NotNegative = 228.7
    first_octave_points: Count = 16
    coefficients: Count = 30
    delta_reach: Count = 3
    floor: Positive = 2.0**-52


class Cqcc(Frontend):
    """Waveform [B, clip_samples] -> features [B, 1, 3 * coefficients, N], 90 x 469 by default.

    Rows: the coefficients, their slopes per frame, the slopes of the slopes. Unit: natural log of
    power (1 = a full-scale sine) times the orthonormal cosine transform's weights; c0 of digital
    silence is sqrt(8059) ln(floor) = -3236. The level counts: nothing is normalised.
    Sources: Todisco, Delgado, Evans (Odyssey 2016) and `earlet_train.frontends.constant_q`.
    """

    Settings = CqccSettings

    def __init__(self, settings: CqccSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        bands = constant_q_bands(
            samples=settings.clip_samples,
            sample_rate_hz=sample_rate_hz,
            bands_per_octave=settings.bands_per_octave,
            octaves=settings.octaves,
            offset_hz=settings.offset_hz,
        )
        self.transform = ConstantQ(samples=settings.clip_samples, bands=bands)
        matrix = cepstral_matrix(
            bands=len(bands.centres),
            bands_per_octave=settings.bands_per_octave,
            first_octave_points=settings.first_octave_points,
            coefficients=settings.coefficients,
        )
        ln_floor = np.log(settings.floor)
        self._keep("matrix", matrix)
        self._keep("silence", matrix.sum(axis=1, keepdims=True) * ln_floor)

    def why_not_streaming(self) -> str:
        """The whole of it."""
        return "cqcc transforms the whole clip at once: take bands or lfcc"

    def why_fixed_length(self) -> str:
        """The transform's tables."""
        return (
            "cqcc transforms the whole clip at once, with tables made for clip_samples = "
            f"{self.settings.clip_samples}: take lfcc, mfcc or bands"
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, clip_samples] -> [B, 1, 3 * coefficients, N]."""
        # ln(power + floor) as published, but scaled so that the 1 survives: the exporter deletes
        # an addition of 1e-8 or less, and float32 would not hold floor beside the power.
        above_floor = (self.transform(waveform) * (1 / self.settings.floor) + 1).log()
        cepstra = self.matrix @ above_floor + self.silence
        slope = partial(regression, reach=self.settings.delta_reach)
        return with_slopes(cepstra, slope)[:, None]

    def _keep(self, name: str, values: NDArray[np.float64]) -> None:
        self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)

    matrix: Tensor
    silence: Tensor


def cepstral_matrix(
    *, bands: int, bands_per_octave: int, first_octave_points: int, coefficients: int
) -> NDArray[np.float64]:
    """-> [coefficients, bands], from log power at octave-spaced bands to the cepstrum in Hz.

    A cubic spline (not-a-knot, as MATLAB's) through the bands, read at steps of the lowest centre /
    `first_octave_points`, then an orthonormal DCT-II. Raises ValueError where the points are fewer
    than the coefficients, or the bands too few for a spline.
    """
    place = 2.0 ** (np.arange(bands) / bands_per_octave)  # in units of the lowest centre
    points = int(np.floor((place[-1] - 1) * first_octave_points)) + 1
    if bands < 4 or coefficients > points:
        raise ValueError(
            f"{bands} bands read at {points} points cannot give {coefficients} coefficients: take "
            "more octaves, more first_octave_points or fewer coefficients"
        )
    grid = 1 + np.arange(points) / first_octave_points
    spline = scipy.interpolate.CubicSpline(place, np.eye(bands))
    return np.asarray(scipy.fft.dct(spline(grid), norm="ortho", axis=0)[:coefficients])
