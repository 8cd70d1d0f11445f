from pathlib import Path

import numpy as np
import pytest

from earlet_train.corpus.engines import (
    ENGINES,
    diphone_festival,
    formant_espeak,
    hmm_festival,
    kokoro,
    unit_selection,
)
from earlet_train.corpus.engines.languages import UNHEARD
from earlet_train.corpus.engines.programs import LIBRARIES
from earlet_train.corpus.packages import PACKAGES

KNOWN = {"A01", "A02", "A03", "A04", "A05", "A06", "A07", "A09"}


def test_the_registry_holds_sixteen_systems_under_their_own_names() -> None:
    assert list(ENGINES) == [f"A{n:02}" for n in range(1, 17)]
    assert all(engine.id == name for name, engine in ENGINES.items())
    assert len({engine.name for engine in ENGINES.values()}) == 16


def test_known_systems_are_in_every_split_and_the_others_in_one() -> None:
    for name, engine in ENGINES.items():
        if name in KNOWN:
            assert engine.splits == ("train", "dev", "eval")
        else:
            assert engine.splits == (("dev",) if name in {"A10", "A14"} else ("eval",))


def test_families_found_only_in_dev_are_in_no_other_split() -> None:
    elsewhere = {e.family for e in ENGINES.values() if e.splits != ("dev",)}
    assert not {e.family for e in ENGINES.values() if e.splits == ("dev",)} & elsewhere


def test_every_package_that_an_engine_names_is_pinned() -> None:
    named = {package for engine in ENGINES.values() for package in engine.packages}
    assert named <= set(PACKAGES)
    assert set(LIBRARIES) - set(PACKAGES) <= {"libdbus-1-3"}


@pytest.mark.parametrize("split", ["train", "dev"])
def test_no_known_synthesizer_speaks_an_eval_language_before_eval(split: str) -> None:
    for name in KNOWN:
        assert not set(ENGINES[name].languages(split)) & set(UNHEARD)


def test_every_text_to_speech_system_speaks_in_each_of_its_splits() -> None:
    for engine in ENGINES.values():
        for split in engine.splits:
            assert bool(engine.languages(split)) == (engine.method == "tts")


def test_voices_are_disjoint_between_splits() -> None:
    voices = diphone_festival.VOICES + hmm_festival.VOICES + unit_selection.VOICES
    assert len({v.name for v in voices}) == len(voices)
    spoken = [name for names in kokoro.VOICES.values() for name in names]
    assert len(set(spoken)) == len(spoken)
    assert len(set(formant_espeak.VARIANTS)) == len(formant_espeak.VARIANTS) >= 100


def test_kokoro_reads_affricates_as_one_sound_and_skips_what_it_does_not_know() -> None:
    alphabet = {"ʧ": 1, "a": 2, "ɾ": 3, " ": 5}
    assert kokoro.tokens_of("t^ʃa r☃t^ʃ", alphabet) == [1, 2, 5, 3, 1]


@pytest.mark.parametrize("name", ["A01", "A02", "A03", "A04", "A13", "A14", "A15"])
def test_a_missing_program_or_text_gives_nothing_and_no_crash(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from earlet_train.corpus.engine import Request

    monkeypatch.setenv("PATH", str(tmp_path))
    engine = ENGINES[name]
    split = engine.splits[-1]
    for text in (None, "", "Hello hello ciao"):
        request = Request(
            split=split,
            language=engine.languages(split)[0],
            text=text,
            source=None,
            rng=np.random.default_rng(0),
        )
        assert engine.synthesize(request, tmp_path) is None
