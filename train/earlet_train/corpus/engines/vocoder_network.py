"""A small neural vocoder: mel spectrum and pitch in, waveform out, about one million weights.

A mel spectrum says how loud, a harmonic excitation says when: four ConvNeXt blocks look at both and
draw a magnitude and a phase for every bin of a short-time spectrum, which one inverse STFT turns
into sound. Predicting spectra instead of samples is Vocos (Siuzdak 2023, arXiv:2306.00814); the
harmonic excitation as an input is HiFTNet (Li 2023, arXiv:2309.09493). With it a million weights
and half an hour on one processor core are enough to sound like the speaker.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

SAMPLE_RATE_HZ = 16_000
N_FFT = 640
HOP_SAMPLES = 160
N_MELS = 80
N_BINS = N_FFT // 2 + 1
LOG_FLOOR = 1e-5
EXCITATION_TOP_HZ = 7_800.0
VOICED_NOISE = 0.03  # breath under the harmonics, so that no bin of the excitation is empty


class VocoderNetwork(nn.Module):
    """Waveform to imitate [B, T] and its excitation [B, T] -> imitation [B, T].

    Only the mel spectrum of the first is used. T is a multiple of HOP_SAMPLES.
    """

    window: Tensor
    mel_bands: Tensor

    def __init__(self, *, width: int = 160, hidden: int = 480, blocks: int = 4) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        bands = melscale_fbanks(
            N_BINS, 40.0, SAMPLE_RATE_HZ / 2, N_MELS, SAMPLE_RATE_HZ, norm=None, mel_scale="htk"
        )
        self.register_buffer("mel_bands", bands.T.contiguous(), persistent=False)
        self.enter = nn.Conv1d(N_MELS + N_BINS, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            ConvNextBlock(width=width, hidden=hidden) for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, 5 * N_BINS)
        nn.init.trunc_normal_(self.leave.weight, std=0.02)
        nn.init.zeros_(self.leave.bias)

    def forward(self, waveform: Tensor, excitation: Tensor) -> Tensor:
        """Waveform [B, T], excitation [B, T] -> imitation [B, T], same scale."""
        return self.draw(self.mel(waveform), self.spectrum(excitation), waveform.shape[-1])

    def mel(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> natural log of mel magnitudes [B, 80, N]."""
        magnitude: Tensor = self.mel_bands @ self.spectrum(waveform).abs()
        return magnitude.clamp_min(LOG_FLOOR).log()

    def spectrum(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> complex spectrum [B, F, N], N = T / hop + 1."""
        return torch.stft(
            waveform, N_FFT, HOP_SAMPLES, window=self.window, center=True, return_complex=True
        )

    def draw(self, log_mel: Tensor, excitation: Tensor, samples: int) -> Tensor:
        """Log mel [B, 80, N], excitation spectrum [B, F, N] -> waveform [B, samples]."""
        log_excitation = excitation.abs().clamp_min(1e-3).log()
        x = self.enter(torch.cat([log_mel / 3 + 1, log_excitation / 3], dim=1))
        for block in self.blocks:
            x = block(x)
        y = self.leave(self.norm(x.transpose(1, 2))).transpose(1, 2)
        gain, turn_re, turn_im, own_re, own_im = y.chunk(5, dim=1)
        # The phase starts as the excitation's, is turned, and may be overruled bin by bin; the
        # magnitude starts as the excitation's too, so that harmonics need not be drawn from mels.
        direction = excitation / excitation.abs().clamp_min(1e-3)
        direction = torch.complex(1 + turn_re, turn_im) * direction + torch.complex(own_re, own_im)
        direction = direction / direction.abs().clamp_min(1e-4)
        magnitude = (gain + log_excitation).clamp(max=6.0).exp()
        waveform: Tensor = torch.istft(
            magnitude * direction, N_FFT, HOP_SAMPLES, window=self.window, length=samples
        )
        return waveform


class ConvNextBlock(nn.Module):
    """Features [B, C, N] -> [B, C, N]: depthwise over time, then pointwise, with a residual."""

    def __init__(self, *, width: int, hidden: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, C, N] -> features [B, C, N]."""
        y = self.norm(self.depthwise(x).transpose(1, 2))
        y = self.scale * self.narrow(nn.functional.gelu(self.widen(y)))
        mixed: Tensor = x + y.transpose(1, 2)
        return mixed


def excitation(
    f0_hz: NDArray[np.float64], *, samples: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Pitch [N] in Hz, one value per hop, 0 where unvoiced -> excitation [samples] of unit power.

    Voiced: all harmonics below 7.8 kHz in equal strength, in closed form (the Dirichlet kernel
    sum_k cos(k p) = sin((K + 1/2) p) / (2 sin(p / 2)) - 1/2). Unvoiced: white noise.
    """
    position = np.arange(samples) / HOP_SAMPLES
    voiced_at = np.flatnonzero(f0_hz > 0)
    noise = rng.standard_normal(samples)
    if voiced_at.size == 0:
        return noise.astype(np.float32)
    pitch = np.interp(position, voiced_at, f0_hz[voiced_at])
    nearest = np.minimum(np.round(position).astype(np.int64), len(f0_hz) - 1)
    voiced = f0_hz[nearest] > 0
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ + rng.uniform(0, 2 * np.pi)
    harmonics = np.maximum(np.floor(EXCITATION_TOP_HZ / pitch), 1.0)
    half = np.sin(phase / 2)
    safe = np.where(np.abs(half) < 1e-5, 1.0, half)
    pulses = np.where(
        np.abs(half) < 1e-5, harmonics, np.sin((harmonics + 0.5) * phase) / (2 * safe) - 0.5
    )
    pulses *= np.sqrt(2 / harmonics)
    return np.where(voiced, pulses + VOICED_NOISE * noise, noise).astype(np.float32)
