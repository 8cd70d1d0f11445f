"""The learnable filterbank of cosines under Gaussians: one trained number per filter.

Dutta, Agrawal, Ganapathy (WASPAA 2021, arXiv 2107.14793), as their published code computes it; the
paper prints a Gaussian five times narrower. Filter i has the centre m = sigmoid(a[i]), as a
share of the Nyquist frequency, and the width sigma = `beta` / sigmoid(a[i] + 0.001) samples:

    g(n) = cos(pi m n) exp(-n^2 / (2 (sigma^2 + 0.00001))),     n = -(taps - 1)/2 .. (taps - 1)/2

A frame is weighted by a symmetric Hamming window and filtered, keeping only outputs that lie wholly
in the frame; its feature is ln(mean square + 0.001).

Ways to the same energy: in training, by FFT (exact, differentiable, never exported) or, some 25
times quicker, by `near_energy`, which also states its error; in eval mode, either `exact`, the
convolution as published, 33 billion multiplications per 10 s, or `fast`, about 1.1 billion (see
`narrow_energy`, which also states its error). Filters, their order and the fast form's tables are
computed when the module is put into eval mode or loads weights there: the exported graph holds
numbers, no sorting and no exponentials.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from earlet_train.frontends.filters import check_band
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.narrow_energy import NarrowEnergy
from earlet_train.frontends.near_energy import NearEnergy
from earlet_train.frontends.symmetric_dft import framed
from earlet_train.ranges import Count, Natural, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class CosineGaussSettings:
    """Defaults: the acoustic scenes of the paper at 44.1 kHz, 80 x 431 from 10 s.

    Its urban sounds: frame 1102, hop 441. The same times at 16 kHz: frame 744, hop 372, taps 257.

    `start`: centres drawn as a ~ U(-3.7, 1.3), or evenly spaced in mel (2595 log10(1 + f / 700)) or
    in Hz, between `low_hz` and `high_hz` (0: half the rate), both ends left out. `learnable`: false
    keeps them there. `training_neighbours`: 0 trains by FFT, else by `near_energy` with so many,
    of which 16 are plenty. `centre`: frames around sample i*hop, the ends mirrored, or (`none`)
    whole frames only. `peak_normalise`: divide each clip by its largest magnitude + 0.0001 first.
    `form` counts in eval mode only; `fast_cut` is the share of a filter's largest gain (in power)
    below which the fast form ignores how distant frequencies interfere: smaller is dearer, closer.
    """

    filters: Count = 80
    taps: Count = 705
    beta: Positive = 10.0
    start: Literal["uniform", "mel", "linear"] = "uniform"
    low_hz: NotNegative = 0.0
    high_hz: NotNegative = 0.0
    learnable: bool = True
    training_neighbours: Natural = 0
    frame_samples: Count = 2048
    hop_samples: Count = 1024
    centre: Literal["reflect", "none"] = "reflect"
    peak_normalise: bool = True
    floor: Positive = 1e-3
    form: Literal["fast", "exact"] = "fast"
    fast_cut: Positive = 1e-4

    def __post_init__(self) -> None:
        if self.taps % 2 == 0:
            raise ValueError(f"taps must be odd, to have a middle, found {self.taps}")
        if self.frame_samples % 2 or self.frame_samples < max(4, self.taps):
            raise ValueError(
                f"frame_samples must be even, at least 4 and at least taps = {self.taps}, found "
                f"{self.frame_samples}"
            )
        if self.floor < 1e-7:
            raise ValueError(
                f"floor must be at least 1e-7, found {self.floor:g}: the exporter drops additions "
                "of 1e-8 or less"
            )
        if self.start == "uniform" and (self.low_hz or self.high_hz):
            raise ValueError(
                "start = 'uniform' draws centres over the whole band, as published, and low_hz or "
                "high_hz is set: set start to 'mel' or 'linear', or leave them out"
            )
        if self.fast_cut >= 1:
            raise ValueError(f"fast_cut is a share below 1, found {self.fast_cut:g}")


class CosineGauss(Frontend):
    """Waveform [B, T] -> features [B, 1, filters, N], natural log of mean square, low to high."""

    Settings = CosineGaussSettings
    # Values of filtered frames held at once in training, to bound its memory (64 MiB in float32).
    held_values = 2**24

    def __init__(self, settings: CosineGaussSettings, *, sample_rate_hz: int) -> None:
        super().__init__(settings, sample_rate_hz=sample_rate_hz)
        self.settings = settings
        scalars = first_scalars(settings, sample_rate_hz)
        self.scalars = nn.Parameter(scalars, requires_grad=settings.learnable)
        # numpy's Hamming window is the symmetric one.
        window = torch.from_numpy(np.hamming(settings.frame_samples)).float()
        self.register_buffer("window", window, persistent=False)
        self.near: NearEnergy | None = None
        if settings.training_neighbours:
            self.near = NearEnergy(
                window=np.hamming(settings.frame_samples),
                taps=settings.taps,
                hop_samples=settings.hop_samples,
                neighbours=settings.training_neighbours,
            )
        self.ready: nn.Module | None = None
        self._ready_for: Tensor | None = None
        self.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]

    def why_not_streaming(self) -> str:
        """Whatever is measured on the whole clip or looks ahead."""
        s = self.settings
        reasons = []
        if s.peak_normalise:
            reasons.append("peak_normalise divides by the clip's peak: set it to false")
        if s.centre == "reflect":
            reasons.append("centre = 'reflect' looks ahead: set it to 'none'")
        return "; ".join(reasons)

    def train(self, mode: bool = True) -> "CosineGauss":
        """Into training mode, or with everything computed for the present scalars into eval."""
        super().train(mode)
        if not mode:
            self.materialise()
        return self

    @torch.no_grad()
    def materialise(self) -> None:
        """Compute what eval mode uses from the present scalars, if that has not been done."""
        scalars = self.scalars.detach().cpu().double()
        if self._ready_for is not None and torch.equal(scalars, self._ready_for):
            return
        s = self.settings
        filters, window = filterbank(scalars, taps=s.taps, beta=s.beta), np.hamming(s.frame_samples)
        if not bool(torch.isfinite(filters).all()):
            return  # Broken by training: the scalars are not finite, and the training loop says so.
        made: nn.Module
        if s.form == "fast":
            made = NarrowEnergy(
                filters=filters.numpy(),
                window=window,
                hop_samples=s.hop_samples,
                cut=s.fast_cut,
            )
        else:
            made = ConvolvedEnergy(filters=filters, window=window, hop_samples=s.hop_samples)
        self.ready, self._ready_for = made.to(self.scalars.device).eval(), scalars

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> [B, 1, F, N]. Raises ValueError where T is too short for a frame."""
        s = self.settings
        fewest = s.frame_samples // 2 + 1 if s.centre == "reflect" else s.frame_samples
        if waveform.shape[1] < fewest:
            raise ValueError(
                f"found windows of {waveform.shape[1]} samples, expected at least {fewest} for "
                f"frames of {s.frame_samples}: make the window longer or frame_samples smaller"
            )
        if s.peak_normalise:
            waveform = waveform / (waveform.abs().amax(dim=1, keepdim=True) + 1e-4)
        if s.centre == "reflect":
            half = s.frame_samples // 2
            waveform = F.pad(waveform[:, None], (half, half), mode="reflect")[:, 0]
        if self.training or self.ready is None:
            energy = self._training_energy(waveform)
        else:
            energy = self.ready(waveform)
        return (energy + s.floor).log()[:, None]

    def _training_energy(self, waveform: Tensor) -> Tensor:
        """Padded waveform [B, T] -> mean square [B, F, N], with gradients to the scalars."""
        filters = filterbank(self.scalars, taps=self.settings.taps, beta=self.settings.beta)
        if self.near is not None:
            energy: Tensor = self.near(waveform, filters)
            return energy
        return self._transformed_energy(waveform, filters)

    def _transformed_energy(self, waveform: Tensor, filters: Tensor) -> Tensor:
        """Padded waveform [B, T], filters [F, k] -> mean square [B, F, N] by FFT.

        Filtered frames are many times larger than the sound, so they are made a few at a time and
        made again for the gradient, instead of being kept.
        """
        s = self.settings
        # Wrapped around, outputs that lie wholly in the frame are the linear convolution's own.
        wrapped = F.pad(filters, (0, s.frame_samples - s.taps)).roll(-(s.taps // 2), dims=1)
        response = torch.fft.rfft(wrapped).real
        frames = waveform.unfold(1, s.frame_samples, s.hop_samples) * self.window  # [B, N, S]
        at_once = max(1, self.held_values // (s.filters * s.frame_samples))
        flat = frames.flatten(0, 1)
        energy = [
            checkpoint(self._energy_of_frames, flat[i : i + at_once], response, use_reentrant=False)
            for i in range(0, len(flat), at_once)
        ]
        return torch.cat(energy).reshape(*frames.shape[:2], s.filters).transpose(1, 2)

    def _energy_of_frames(self, frames: Tensor, response: Tensor) -> Tensor:
        """Frames [R, S], responses [F, S // 2 + 1] -> [R, F]."""
        reach, last = self.settings.taps // 2, frames.shape[1] - self.settings.taps // 2
        filtered = torch.fft.irfft(torch.fft.rfft(frames)[:, None] * response, n=frames.shape[1])
        energy: Tensor = filtered[..., reach:last].square().mean(dim=2)
        return energy

    window: Tensor


class ConvolvedEnergy(nn.Module):
    """Waveform [B, T] -> mean square [B, F, N], each frame filtered as the definition says."""

    def __init__(self, *, filters: Tensor, window: NDArray[np.float64], hop_samples: int) -> None:
        super().__init__()
        self.hop_samples = hop_samples
        self.register_buffer("filters", filters.float()[:, None, :, None], persistent=False)
        taper = torch.from_numpy(window).float()[:, None]
        self.register_buffer("window", taper, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> [B, F, N]."""
        frames = framed(waveform, self.window.shape[0], self.hop_samples) * self.window
        return F.conv2d(frames[:, None], self.filters).square().mean(dim=2)

    filters: Tensor
    window: Tensor


def filterbank(scalars: Tensor, *, taps: int, beta: float) -> Tensor:
    """Scalars [F], in any order -> filters [F, taps], from the lowest centre to the highest."""
    scalars = scalars.sort().values[:, None]
    n = torch.arange(taps, dtype=scalars.dtype, device=scalars.device) - taps // 2
    variance = (beta / torch.sigmoid(scalars + 1e-3)).square() + 1e-5
    return torch.cos(math.pi * torch.sigmoid(scalars) * n) * torch.exp(-n.square() / (2 * variance))


def first_scalars(settings: CosineGaussSettings, sample_rate_hz: int) -> Tensor:
    """-> [F]; `uniform` draws from torch's global generator, the others are fixed."""
    if settings.start == "uniform":
        return torch.empty(settings.filters).uniform_(-3.7, 1.3)
    nyquist_hz = sample_rate_hz / 2
    low, high = settings.low_hz, settings.high_hz or nyquist_hz
    check_band(low, high, sample_rate_hz)
    share = torch.arange(1, settings.filters + 1, dtype=torch.float64) / (settings.filters + 1)
    if settings.start == "mel":
        low, high = (2595 * math.log10(1 + hz / 700) for hz in (low, high))
    centre = low + (high - low) * share
    if settings.start == "mel":
        centre = 700 * (10 ** (centre / 2595) - 1)
    return torch.logit(centre / nyquist_hz).float()


def _loaded(module: CosineGauss, incompatible: Any) -> None:
    """New weights in eval mode: what was computed from the old ones must not survive."""
    if not module.training:
        module.materialise()
