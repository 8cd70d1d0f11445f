"""Sounds that features are compared on: speech, and what breaks logarithms and short sums."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.protocol import read_protocol
from earlet.scoring import read_trial
from earlet.windows import Waveform

RATE_HZ, SAMPLES = 16_000, 64_000
# In these, spectra have exact zeros, where float32 leaves rounding errors instead.
CONSTRUCTED = ("digital silence", "full-scale square", "impulse", "speech, then digital silence")

Signals = dict[str, list[Waveform]]


def signals(speech: list[Waveform]) -> Signals:
    """Clips of speech [SAMPLES] each -> all sounds by name, `speech` first."""
    time = np.arange(SAMPLES)
    impulse = np.zeros(SAMPLES)
    impulse[SAMPLES // 2 + 7] = 1.0
    half = speech[0] * (time < SAMPLES // 2)
    made: dict[str, NDArray[np.float64]] = {
        "white noise": 0.1 * np.random.default_rng(11).standard_normal(SAMPLES),
        "digital silence": np.zeros(SAMPLES),
        "full-scale square": np.where(time % 160 < 80, 1.0, -1.0),
        "impulse": impulse,
        "speech, then digital silence": half.astype(np.float64),
    }
    return {"speech": speech} | {name: [x.astype(np.float32)] for name, x in made.items()}


def real_speech(corpus: Path, *, clips: int) -> list[Waveform]:
    """Clips of a corpus's eval split, spread evenly over it, human and synthetic in turn.

    Short ones are repeated end to end, long ones cut. Raises CorpusError.
    """
    trials = read_protocol(corpus, "eval")
    chosen = []
    for is_spoof, count in ((False, clips - clips // 2), (True, clips // 2)):
        own = [trial for trial in trials if trial.is_spoof == is_spoof]
        chosen += [own[i * len(own) // count] for i in range(count)]
    waves = [read_trial(trial, sample_rate_hz=RATE_HZ) for trial in chosen]
    return [np.tile(wave, -(-SAMPLES // len(wave)))[:SAMPLES] for wave in waves]


def artificial_speech() -> Waveform:
    """-> a voice of the clip's length without a voice: where there is no corpus to read.

    Harmonics with vibrato under three formants, hiss, pauses; rounded to 16 bits as recordings are.
    """
    rng = np.random.default_rng(7)
    time_s = np.arange(SAMPLES) / RATE_HZ
    pitch_hz = 120 + 15 * np.sin(2 * np.pi * 5 * time_s) + 20 * np.sin(2 * np.pi * 0.4 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voice = np.zeros(SAMPLES)
    for number in range(1, 50):
        hertz = number * 120
        formants = sum(np.exp(-(((hertz - f) / 250) ** 2)) for f in (600, 1500, 2700))
        voice += (0.02 + formants) / number**0.5 * np.sin(number * phase)
    loudness = np.clip(np.sin(2 * np.pi * 1.3 * time_s) + 0.5, 0, None)
    hiss = 0.05 * rng.standard_normal(SAMPLES) * np.clip(np.sin(2 * np.pi * 2.1 * time_s), 0, None)
    whole = 0.1 * (voice * loudness + hiss) + 3e-5 * rng.standard_normal(SAMPLES)
    return np.asarray(np.round(whole * 32768) / 32768, dtype=np.float32)
