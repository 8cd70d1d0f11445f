"""What the neural vocoder is trained against: spectra at four resolutions, and three critics."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

RESOLUTIONS = ((1024, 256), (512, 128), (256, 64), (128, 32))
CRITICS = ((1024, 256), (512, 128), (256, 64))


def spectral_loss(made: Tensor, real: Tensor) -> Tensor:
    """Waveforms [B, T], [B, T] -> scalar: spectral convergence + L1 of log magnitude, averaged.

    Yamamoto et al. 2020 (Parallel WaveGAN), equations 4 to 6.
    """
    total = made.new_zeros(())
    for n_fft, hop in RESOLUTIONS:
        a, b = (_spectrum(w, n_fft, hop).abs().clamp_min(1e-4) for w in (made, real))
        total = total + (b - a).norm() / b.norm().clamp_min(1e-3) + (a.log() - b.log()).abs().mean()
    return total / len(RESOLUTIONS)


class Critic(nn.Module):
    """Waveform [B, T] -> feature maps, the last of which is the verdict: high for real speech.

    Looks at real and imaginary parts, so that phase counts (Encodec's STFT discriminator,
    Defossez 2022, made small: 16 channels, strides along frequency).
    """

    def __init__(self, *, n_fft: int, hop: int, channels: int = 16) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        widths = (2, channels, channels, channels, channels)
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(
                nn.Conv2d(a, b, (9, 3), stride=(2, 1), padding=(4, 1))
            )
            for a, b in pairwise(widths)
        )
        self.verdict = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Waveform [B, T] -> feature maps of every layer, verdict [B, 1, F, N] last."""
        spectrum = _spectrum(waveform, self.n_fft, self.hop)
        # Compressed: otherwise the critic would see the first formant and nothing else.
        magnitude = spectrum.abs().clamp_min(1e-5)
        x = torch.view_as_real(spectrum * magnitude.pow(-0.7)).permute(0, 3, 1, 2)
        maps = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.1)
            maps.append(x)
        return [*maps, self.verdict(x)]


def critic_loss(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """Feature maps of real and imitated speech -> scalar hinge loss of the critic."""
    return (1 - real[-1]).clamp_min(0).mean() + (1 + made[-1]).clamp_min(0).mean()


def deception_loss(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """Feature maps -> scalar: the vocoder's hinge loss plus relative L1 of the features."""
    matching = [
        (a - b.detach()).abs().mean() / b.detach().abs().mean().clamp_min(1e-4)
        for a, b in zip(made[:-1], real[:-1], strict=True)
    ]
    return (1 - made[-1]).clamp_min(0).mean() + 2 * torch.stack(matching).mean()


def _spectrum(waveform: Tensor, n_fft: int, hop: int) -> Tensor:
    window = torch.hann_window(n_fft, device=waveform.device)
    return torch.stft(waveform, n_fft, hop, window=window, center=True, return_complex=True)
