"""A06: Griffin-Lim from a mel spectrum, in train also with other mels and fewer iterations."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from earlet.errors import MissingExtra
from earlet_train.corpus.engine import Method, Request, Samples, Spoken
from earlet_train.corpus.engines.one_thread import one_thread

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE_HZ = 16_000
N_FFT = 1_024
VARIANT_SHARE = 0.5
PHASELESS_SHARE = 0.15


class GriffinLim:
    """Mel magnitudes, their least-squares spectrum, and phases found by going back and forth.

    Griffin and Lim 1984 with the momentum of Perraudin 2013, torchaudio's.
    """

    id = "A06"
    name = "Griffin-Lim from mel"
    family = "phase reconstruction"
    method: Method = "copy"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it copies any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source's 80 mels back to sound in 32 steps; half of train's in other ways."""
        if request.source is None:
            return None
        rng = request.rng
        way = Way(mels=80, hop_samples=256, steps=32, momentum=0.99)
        if request.split == "train" and rng.uniform() < VARIANT_SHARE:
            way = Way(
                mels=int(rng.choice([60, 80, 100, 128])),
                hop_samples=int(rng.choice([128, 200, 256])),
                steps=0 if rng.uniform() < PHASELESS_SHARE else int(rng.integers(4, 61)),
                momentum=rng.uniform(0.0, 0.99),
            )
        try:
            with one_thread():
                made = _through_mel(request.source.waveform, way, seed=int(rng.integers(2**31)))
        except ModuleNotFoundError as error:
            raise MissingExtra(module="torchaudio", extra="train") from error
        return Spoken(waveform=made, sample_rate_hz=SAMPLE_RATE_HZ, voice=request.source.speaker)


@dataclass(frozen=True, kw_only=True)
class Way:
    """How finely the spectrum is kept and how long phases are sought."""

    mels: int
    hop_samples: int
    steps: int
    momentum: float


def _through_mel(waveform: Samples, way: Way, *, seed: int) -> Samples:
    """Waveform [T], 16 kHz -> [T]."""
    import torch
    from torchaudio.functional import griffinlim

    window = torch.hann_window(N_FFT)
    hop = way.hop_samples
    spectrum = torch.stft(
        torch.from_numpy(waveform.copy()), N_FFT, hop, window=window, return_complex=True
    ).abs()
    bands, inverse = _mel(way.mels)
    guess = (inverse @ (bands @ spectrum)).clamp_min(1e-5)
    # torchaudio draws its first phases from torch's global generator: a fork of it, seeded.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = griffinlim(
            guess, window, N_FFT, hop, N_FFT, 1.0, way.steps, way.momentum, len(waveform), True
        )
    return np.asarray(made.numpy(), np.float32)


@cache
def _mel(mels: int) -> tuple["Tensor", "Tensor"]:
    """Bands [M, F] and their pseudo-inverse [F, M]."""
    import torch
    from torchaudio.functional import melscale_fbanks

    bands = melscale_fbanks(
        N_FFT // 2 + 1, 0.0, SAMPLE_RATE_HZ / 2, mels, SAMPLE_RATE_HZ, None, "slaney"
    ).T.contiguous()
    return bands, torch.linalg.pinv(bands)
