"""Every engine that needs unpacked packages, for real."""

from pathlib import Path

import numpy as np
import pytest

from earlet_train.corpus.engine import Request, Speech
from earlet_train.corpus.engines import ENGINES
from earlet_train.corpus.engines.conversion import draw_conversion
from earlet_train.corpus.pitch import pitch_hz
from earlet_train.corpus.speech_level import prepare_speech

SENTENCES = {
    "ca": "Aquesta és una frase de prova, amb accents i tot.",
    "cs": "Dobrý den, to je velmi zajímavá místnost.",
    "en": "Please enter your password, followed by the pound key.",
    "it": "Il numero chiamato non è al momento disponibile.",
    "ru": "Пожалуйста, введите номер абонента и нажмите решётку.",
}
CASES = [
    ("A01", "train", "cs"),
    ("A01", "dev", "it"),
    ("A01", "eval", "en"),
    ("A02", "train", "it"),
    ("A02", "train", "cs"),
    ("A02", "dev", "cs"),
    ("A02", "eval", "en"),
    ("A03", "train", "ca"),
    ("A03", "dev", "ca"),
    ("A03", "eval", "en"),
    ("A04", "train", "it"),
    ("A04", "eval", "en"),
    ("A13", "eval", "ru"),
    ("A14", "dev", "en"),
    ("A15", "eval", "en"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("system", "split", "language"), CASES)
def test_a_synthesizer_reads_a_sentence_aloud_twice_alike(
    system: str, split: str, language: str, store: Path
) -> None:
    engine = ENGINES[system]
    first, second = (
        engine.synthesize(
            Request(
                split=split,
                language=language,
                text=SENTENCES[language],
                source=None,
                rng=np.random.default_rng(5),
            ),
            store,
        )
        for _ in range(2)
    )
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.waveform, second.waveform)
    assert " " not in first.voice
    prepared = prepare_speech(first.waveform, sample_rate_hz=first.sample_rate_hz)
    assert prepared is not None
    assert 1.5 < len(prepared) / 16_000 < 8
    voiced = np.mean(pitch_hz(prepared) > 0)
    assert 0.25 < voiced < 1.0


@pytest.mark.slow
def test_rubber_band_moves_the_pitch_and_keeps_the_length(speech: Speech, store: Path) -> None:
    goal = draw_conversion(speech.waveform, np.random.default_rng(2))
    request = Request(
        split="eval", language="fr", text=None, source=speech, rng=np.random.default_rng(2)
    )
    spoken = ENGINES["A12"].synthesize(request, store)
    assert spoken is not None
    assert len(spoken.waveform) == pytest.approx(len(speech.waveform), abs=200)
    before, after = (
        float(np.median(f0_hz[f0_hz > 0]))
        for f0_hz in (pitch_hz(speech.waveform), pitch_hz(spoken.waveform))
    )
    assert after == pytest.approx(before * goal.pitch, rel=0.03)
