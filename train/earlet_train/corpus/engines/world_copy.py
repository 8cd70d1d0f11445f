"""A05: WORLD copy synthesis, in train also with coarse parameters."""

from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.pitch import CEILING_HZ, FLOOR_HZ
from earlet_train.corpus.world import world

SAMPLE_RATE_HZ = 16_000
COARSE_SHARE = 0.5


class WorldCopy:
    """WORLD (Morise 2016): pitch, envelope, aperiodicity; pulses and noise put together."""

    id = "A05"
    name = "WORLD copy synthesis"
    family = "classical vocoder"
    method: Method = "copy"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it copies any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source through the vocoder; half of train's with fewer, rounder parameters."""
        if request.source is None:
            return None
        x = request.source.waveform.astype(np.float64)
        is_coarse = request.split == "train" and request.rng.uniform() < COARSE_SHARE
        frame_ms = request.rng.uniform(5.0, 12.0) if is_coarse else 5.0
        rough, times = world().dio(
            x, SAMPLE_RATE_HZ, f0_floor=FLOOR_HZ, f0_ceil=CEILING_HZ, frame_period=frame_ms
        )
        f0_hz = world().stonemask(x, rough, times, SAMPLE_RATE_HZ)
        envelope = world().cheaptrick(x, f0_hz, times, SAMPLE_RATE_HZ)
        breath = world().d4c(x, f0_hz, times, SAMPLE_RATE_HZ)
        if is_coarse:
            n_fft = 2 * (envelope.shape[1] - 1)
            bands = int(request.rng.integers(24, 61))
            coded = world().code_spectral_envelope(envelope, SAMPLE_RATE_HZ, bands)
            envelope = world().decode_spectral_envelope(coded, SAMPLE_RATE_HZ, n_fft)
            mixed = request.rng.uniform(0.0, 0.6)
            breath = np.clip(breath * (1 - mixed) + mixed * breath.mean(axis=0), 1e-3, 1 - 1e-3)
            cents = request.rng.uniform(5.0, 60.0)
            steps = np.round(np.log2(np.maximum(f0_hz, 1.0)) * 1_200 / cents)
            f0_hz = np.where(f0_hz > 0, 2 ** (steps * cents / 1_200), 0.0)
        made = world().synthesize(f0_hz, envelope, breath, SAMPLE_RATE_HZ, frame_ms)
        return Spoken(
            waveform=np.asarray(made[: len(x)], np.float32),
            sample_rate_hz=SAMPLE_RATE_HZ,
            voice=request.source.speaker,
        )
