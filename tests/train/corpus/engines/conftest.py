from pathlib import Path

import numpy as np
import pytest

from earlet_train.corpus.engine import Samples, Speech
from earlet_train.corpus.engines import ENGINES
from earlet_train.corpus.engines.programs import LIBRARIES
from earlet_train.corpus.packages import fetch
from earlet_train.corpus.speech_level import prepare_speech

RATE_HZ = 16_000


def vowels(*, pitch_hz: float, seconds: float, rng: np.random.Generator) -> Samples:
    """A voice that glides, through the formants of four vowels, with breath and a hiss between."""
    from scipy.signal import lfilter

    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch = pitch_hz * (1 + 0.05 * np.sin(2 * np.pi * 0.7 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    glottis = sum(np.cos(k * phase) / k for k in range(1, int(7_500 / pitch_hz)))
    glottis = glottis + 0.03 * rng.standard_normal(len(t))
    pieces = []
    for n, (f1, f2) in enumerate([(700, 1_200), (300, 2_300), (500, 1_800), (350, 800)]):
        x = glottis[n * len(t) // 4 : (n + 1) * len(t) // 4]
        for formant_hz, width_hz in ((f1, 80), (f2, 100), (2_700, 150), (3_600, 200)):
            r = np.exp(-np.pi * width_hz / RATE_HZ)
            x = lfilter([1.0], [1.0, -2 * r * np.cos(2 * np.pi * formant_hz / RATE_HZ), r * r], x)
        pieces.append(x / np.std(x))
        pieces.append(0.4 * rng.standard_normal(round(0.12 * RATE_HZ)))
    prepared = prepare_speech(
        np.asarray(0.1 * np.concatenate(pieces), np.float32), sample_rate_hz=RATE_HZ
    )
    assert prepared is not None
    return prepared


@pytest.fixture(params=[120.0, 210.0], ids=["low voice", "high voice"])
def speech(request: pytest.FixtureRequest) -> Speech:
    waveform = vowels(pitch_hz=request.param, seconds=1.6, rng=np.random.default_rng(4))
    return Speech(
        name="vowels",
        waveform=waveform,
        speaker="nobody",
        language="fr",
        split="eval",
        text=None,
        codec="pcm",
        source_rate_hz=RATE_HZ,
    )


@pytest.fixture(scope="session")
def store() -> Path:
    """The unpacked packages of every engine, fetched into the cache where they are not yet."""
    names = {name for engine in ENGINES.values() for name in engine.packages}
    fetched = fetch(names | set(LIBRARIES))
    assert not fetched.missing
    return fetched.folder
