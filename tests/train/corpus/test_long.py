"""Calls are mixed as they are labelled, and nothing but the voice tells where one turns."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.errors import CorpusError, UsageError
from earlet.segments import read_segments
from earlet_train.corpus.long import CALLS_FILE, Order, mix_calls
from earlet_train.corpus.speech_level import speech_level_db

RATE_HZ = 16_000
REAL_HZ, MADE_HZ = 500.0, 5_000.0


def bursts(hz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """1 to 2 s of a tone that comes and goes like syllables, at any level."""
    n = np.arange(round(rng.uniform(1, 2) * RATE_HZ))
    syllables = 0.2 + 0.8 * np.abs(np.sin(2 * np.pi * 2 * n / RATE_HZ))
    level: float = rng.uniform(0.01, 0.5)
    return np.asarray(level * syllables * np.sin(2 * np.pi * hz * n / RATE_HZ))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two people of 12 recordings; copies of one of them, and a synthesizer of its own voice."""
    root, rng = tmp_path / "corpus", np.random.default_rng(7)
    audio = root / "T_dev" / "flac"
    audio.mkdir(parents=True)
    cast = [("ann", "-", 12), ("bob", "-", 12), ("eve", "-", 2), ("ann", "A05", 5)]
    cast += [("robot", "A01", 6), ("other", "A01", 1)]
    rows: list[str] = []
    for speaker, system, count in cast:
        for _ in range(count):
            name = f"f{len(rows)}"
            hz = REAL_HZ if system == "-" else MADE_HZ
            soundfile.write(audio / f"{name}.flac", bursts(hz, rng), RATE_HZ)
            rows.append(f"{speaker} {name} - {system} {'bonafide' if system == '-' else 'spoof'}")
    (root / "T_cm_protocols").mkdir()
    (root / "T_cm_protocols" / "T.cm.dev.trl.txt").write_text("\n".join(rows) + "\n")
    return root


def order(corpus: Path, out: Path, **changes: object) -> Order:
    given = {"split": "dev", "minutes": 0.75, "count": 4, "seed": 3, **changes}
    return Order(corpus=corpus, out=out, **given)  # type: ignore[arg-type]


def energy(sound: NDArray[np.float64], low_hz: float, high_hz: float) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return float(spectrum[(hz > low_hz) & (hz < high_hz)].sum())


def test_each_stretch_holds_what_its_label_says(corpus: Path, tmp_path: Path) -> None:
    mixed = mix_calls(order(corpus, tmp_path / "calls"))
    recordings = read_segments(tmp_path / "calls")
    assert [len(r.segments) for r in recordings].count(2) == 2
    for recording, call in zip(recordings, mixed.calls, strict=True):
        sound, rate = soundfile.read(recording.path)
        assert (len(sound), rate) == (45 * RATE_HZ, RATE_HZ)
        assert recording.segments[0].start_s == 0
        assert recording.segments[-1].end_s == 45
        assert recording.speaker == call.person in ("ann", "bob")
        for segment in recording.segments:
            part = sound[round(segment.start_s * RATE_HZ) : round(segment.end_s * RATE_HZ)]
            real = energy(part, REAL_HZ - 100, REAL_HZ + 100)
            made = energy(part, MADE_HZ - 100, MADE_HZ + 100)
            assert (made > 100 * real) == (segment.label == "spoof")
            assert (real > 100 * made) == (segment.label == "bonafide")
        if call.system is not None:
            turn = recording.segments[1].start_s
            assert 0.4 * 45 <= turn <= 0.6 * 45 + 3.2


def test_neither_level_nor_silence_tells_where_it_turns(corpus: Path, tmp_path: Path) -> None:
    mix_calls(order(corpus, tmp_path / "calls", stay_real=0.0))
    for recording in read_segments(tmp_path / "calls"):
        sound = soundfile.read(recording.path)[0].astype(np.float32)
        turn = round(recording.segments[1].start_s * RATE_HZ)
        before, after = speech_level_db(sound[:turn]), speech_level_db(sound[turn:])
        assert before == pytest.approx(after, abs=1.0)
        quietest = np.square(sound).reshape(-1, 1600).mean(axis=1).min()
        assert quietest > 0


def test_a_person_is_followed_by_the_own_copies_where_there_are_enough(
    corpus: Path, tmp_path: Path
) -> None:
    mixed = mix_calls(order(corpus, tmp_path / "calls", count=8, stay_real=0.0))
    voices = {(c.person, c.system): c.voice for c in mixed.calls}
    assert voices[("ann", "A05")] == "ann"
    assert {voices.get((person, "A01"), "robot") for person in ("ann", "bob")} == {"robot"}
    assert mixed.hours == pytest.approx(8 * 45 / 3600)
    assert mixed.played > mixed.distinct > 0


def test_equal_arguments_give_equal_bytes_and_another_seed_others(
    corpus: Path, tmp_path: Path
) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        mix_calls(order(corpus, tmp_path / name, seed=seed, count=2))
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == ["call_0001.flac", "call_0002.flac", CALLS_FILE, "segments.csv"]

    def bytes_of(folder: str) -> list[bytes]:
        return [(tmp_path / folder / name).read_bytes() for name in files]

    assert bytes_of("one") == bytes_of("two")
    assert bytes_of("one")[0] != bytes_of("three")[0]


def test_what_cannot_be_mixed_is_refused_and_nothing_is_left(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        mix_calls(order(corpus, tmp_path / "there"))
    protocol = corpus / "T_cm_protocols" / "T.cm.dev.trl.txt"
    rows = protocol.read_text().splitlines()
    protocol.write_text("\n".join(row for row in rows if row.endswith("bonafide")))
    with pytest.raises(CorpusError, match="3 people and 0 synthesizers"):
        mix_calls(order(corpus, tmp_path / "calls"))
    protocol.write_text("\n".join(rows))
    next((corpus / "T_dev" / "flac").iterdir()).unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        mix_calls(order(corpus, tmp_path / "calls", minutes=3.0, count=8))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["corpus", "there"]
