from pathlib import Path

import numpy as np
import pytest
import soundfile

from earlet.errors import CorpusError
from earlet_train.corpus.engines import ENGINES
from earlet_train.corpus.journal import Journal
from earlet_train.corpus.make import Workshop, audio_file, make_file
from earlet_train.corpus.plan import Attempt, Item
from earlet_train.corpus.utterances import Utterance


def voice_like(seconds: float, *, seed: int) -> np.ndarray:
    """A pulse train through two resonances in syllables: enough for a vocoder to work on."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * 16_000)) / 16_000
    pulses = (np.diff(np.floor(np.cumsum(120 + 20 * np.sin(3 * time_s)) / 16_000), prepend=0)) > 0
    sound = pulses + 0.01 * rng.standard_normal(len(time_s))
    for centre_hz, width_hz in ((600, 90), (1_800, 150)):
        radius = np.exp(-np.pi * width_hz / 16_000)
        angle = 2 * np.pi * centre_hz / 16_000
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], sound)
    sound *= 0.05 + np.sin(np.pi * time_s / 0.35) ** 2
    return np.asarray(0.3 * sound / np.abs(sound).max(), np.float32)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    utterances = {}
    for name, seconds in (("long", 4.0), ("short", 0.8)):
        file = tmp_path / f"{name}.flac"
        soundfile.write(file, voice_like(seconds, seed=len(name)), 16_000)
        utterances[name] = Utterance(
            name=name,
            speaker="TUX_ro",
            language="ro",
            split="train",
            text="O frază.",
            codec="vorbis",
            source_rate_hz=44_100,
            pieces=(file,),
            length_s=seconds,
        )
    audio_file(tmp_path, split="train", file="x").parent.mkdir(parents=True)
    return Workshop(
        out=tmp_path, store=tmp_path, seed=0, utterances=utterances, lengths_s={"train": [3.0, 3.5]}
    )


def item(*sources: str, system: str = "-", file: str = "E_T_0000001") -> Item:
    attempts = tuple(Attempt(utterance=name, text=None, language="ro") for name in sources)
    return Item(file=file, split="train", system=system, attempts=attempts)


@pytest.mark.parametrize("system", ["-", "A05", "A09"])
def test_a_file_is_16_khz_mono_and_told_as_it_is(workshop: Workshop, system: str) -> None:
    made = make_file(item("long", system=system), workshop, ENGINES)
    assert made.row is not None, made.reason
    file = audio_file(workshop.out, split="train", file="E_T_0000001")
    sound, rate_hz = soundfile.read(file)
    assert rate_hz == 16_000
    assert sound.ndim == 1
    assert len(sound) / 16_000 == pytest.approx(made.row.duration_s, abs=1e-3)
    assert 1.5 <= made.row.duration_s <= 3.5
    assert made.row.speaker == "TUX_ro"
    assert made.row.key == ("bonafide" if system == "-" else "spoof")
    assert not list(workshop.out.rglob("*.part"))


def test_the_same_item_is_the_same_file_and_another_name_another(workshop: Workshop) -> None:
    first = make_file(item("long", system="A09"), workshop, ENGINES).row
    again = make_file(item("long", system="A09"), workshop, ENGINES).row
    other = make_file(item("long", system="A09", file="E_T_0000002"), workshop, ENGINES).row
    assert first is not None
    assert other is not None
    assert first == again
    assert first.sha256 != other.sha256


def test_what_is_too_short_gives_way_to_the_next_attempt(workshop: Workshop) -> None:
    made = make_file(item("short", "long"), workshop, ENGINES)
    assert made.row is not None
    assert made.row.source == "long"


def test_an_item_that_always_fails_says_why(workshop: Workshop) -> None:
    made = make_file(item("short"), workshop, ENGINES)
    assert made.row is None
    assert "1.5 s" in made.reason


def test_a_journal_gives_back_what_was_made_and_still_is_there(workshop: Workshop) -> None:
    items = {i.file: i for i in (item("long"), item("long", file="E_T_0000002"), item("short"))}
    made = [make_file(one, workshop, ENGINES) for one in items.values()]
    with Journal.open(workshop.out / "new", fingerprint="f") as journal:
        for one in made:
            journal.write(one)
    source = audio_file(workshop.out, split="train", file="E_T_0000002")
    target = audio_file(workshop.out / "new", split="train", file="E_T_0000002")
    target.parent.mkdir(parents=True)
    source.rename(target)
    with (workshop.out / "new/.build.jsonl").open("a") as stream:
        stream.write('\n{"file": "E_T_00')  # what an interruption leaves
    with Journal.open(workshop.out / "new", fingerprint="f") as journal:
        found = journal.read(items)
    assert [m.item.file for m in found if m.row is not None] == ["E_T_0000002"]


def test_a_folder_with_another_begun_corpus_is_refused(tmp_path: Path) -> None:
    with Journal.open(tmp_path, fingerprint="one"):
        pass
    with pytest.raises(CorpusError, match="the beginning of another corpus"):
        Journal.open(tmp_path, fingerprint="two")


def test_two_builds_in_one_folder_are_refused(tmp_path: Path) -> None:
    with (
        Journal.open(tmp_path, fingerprint="one"),
        pytest.raises(CorpusError, match="another build is at work"),
    ):
        Journal.open(tmp_path, fingerprint="one")
