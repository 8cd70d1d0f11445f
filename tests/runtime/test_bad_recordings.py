"""Every way in which a recording can be bad is found, named, and counted once."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.bad_recordings import Bad, Heard, Need, find_bad, hear, look, refuse, without
from earlet.errors import CorpusError
from earlet.manifest import WindowPolicy
from earlet.trial import Trial

NEED = Need(sample_rate_hz=16_000, least_samples=500)


def trial(path: Path) -> Trial:
    return Trial(speaker="-", file=path.stem, system="-", key="bonafide", path=path)


def noise(samples: int = 20_000) -> NDArray[np.float64]:
    wave: NDArray[np.float64] = 0.2 * np.random.default_rng(1).standard_normal(samples)
    return wave


def floats(value: float) -> Callable[[Path], object]:
    """Sound, but for one number near its end."""

    def write(path: Path) -> None:
        wave = noise()
        wave[-7] = value
        soundfile.write(path, wave, 16_000, format="WAV", subtype="FLOAT")

    return write


def halved(path: Path) -> None:
    """A FLAC file whose header is whole and whose end is lost."""
    soundfile.write(path, noise(), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def headless(path: Path) -> None:
    """A WAV file that ends inside of its header."""
    soundfile.write(path, noise(), 16_000, format="WAV")
    path.write_bytes(path.read_bytes()[:30])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "is missing"),
    "no-bytes": (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
    "no-samples": (
        lambda path: soundfile.write(path, [], 16_000, format="WAV"),
        "is empty (0 samples)",
    ),
    "text": (lambda path: path.write_text("no sound"), "is damaged or no audio ("),
    "folder": (lambda path: path.mkdir(), "is missing"),
    "header": (headless, "is damaged or no audio ("),
    "rate": (
        lambda path: soundfile.write(path, noise(), 48_000),
        "has 48000 Hz, expected 16000 Hz",
    ),
    "stereo": (
        lambda path: soundfile.write(path, np.zeros((900, 2)), 16_000),
        "has 2 channels, expected one",
    ),
    "both": (
        lambda path: soundfile.write(path, np.zeros((90, 2)), 8_000),
        "has 8000 Hz, expected 16000 Hz and has 2 channels, expected one",
    ),
    "short": (
        lambda path: soundfile.write(path, np.zeros(499), 16_000),
        "has 499 samples, expected at least 500",
    ),
    "nan": (floats(np.nan), "holds numbers that are not finite (NaN or infinity)"),
    "infinity": (floats(-np.inf), "holds numbers that are not finite (NaN or infinity)"),
    "loud": (floats(20_000.0), "reaches 20000, expected samples in [-1, 1]"),
    "halved": (halved, "is "),
}


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_named_the_same_by_looking_and_by_hearing(name: str, tmp_path: Path) -> None:
    make, fault = BAD[name]
    path = tmp_path / f"{name}.flac"
    make(path)
    (found,) = find_bad([trial(path)], NEED)
    assert found.why.startswith(fault)
    assert str(found) == f"{path} {found.why}"
    heard = hear(trial(path), NEED)
    assert isinstance(heard, Bad)
    assert heard.why.startswith(fault)


def test_a_sound_recording_is_heard_as_it_is_on_disk(tmp_path: Path) -> None:
    for name, subtype in (("a.flac", "PCM_16"), ("b.wav", "FLOAT")):
        soundfile.write(tmp_path / name, noise(500), 16_000, subtype=subtype)
        expected, _ = soundfile.read(tmp_path / name, dtype="float32")
        assert find_bad([trial(tmp_path / name)], NEED) == []
        np.testing.assert_array_equal(hear(trial(tmp_path / name), NEED), expected)


def test_headers_alone_tell_nothing_of_damage_further_on_but_floats_are_always_decoded(
    tmp_path: Path,
) -> None:
    halved(tmp_path / "halved.flac")
    assert not look(tmp_path / "halved.flac", decode=False).fault
    assert look(tmp_path / "halved.flac", decode=True).fault
    floats(np.nan)(tmp_path / "nan.wav")
    assert "not finite" in look(tmp_path / "nan.wav", decode=False).fault


@pytest.mark.parametrize(("short", "least"), [("tile", 100), ("reject", 1_000)])
def test_a_detector_needs_what_its_windows_need(short: str, least: int) -> None:
    policy = WindowPolicy(window_samples=1_000, hop_samples=500, min_samples=100, short=short)  # type: ignore[arg-type]
    need = Need.of(policy, sample_rate_hz=8_000)
    assert need == Need(sample_rate_hz=8_000, least_samples=least)


def test_many_are_counted_the_first_ten_named_and_the_rest_kept(tmp_path: Path) -> None:
    trials = [trial(tmp_path / f"{i:02}.flac") for i in range(14)]
    for kept in (trials[3], trials[13]):
        soundfile.write(kept.path, noise(), 16_000)
    told: list[int] = []
    bad = find_bad(trials, NEED, on_trial=lambda: told.append(1))
    assert len(told) == 14
    assert without(trials, bad) == [trials[3], trials[13]]
    with pytest.raises(CorpusError) as caught:
        refuse(bad, of=14, corpus=tmp_path)
    message = str(caught.value)
    assert message.startswith("12 of 14 recordings cannot be used:\n")
    assert [f"{i:02}.flac is missing" in message for i in range(14)] == [
        i != 3 and i < 11 for i in range(14)
    ]
    assert "and 2 more" in message
    assert "--skip-bad" in message
    refuse([], of=14, corpus=tmp_path)


@pytest.mark.parametrize(
    ("made", "advice"),
    [
        (None, "copy the dataset again"),
        ("[1]", "copy the dataset again"),
        (
            {"schema": "earlet-corpus-1", "size": "standard", "seed": 0},
            "earlet corpus build --size standard --out",
        ),
        (
            {"schema": "earlet-clips-1", "kind": "instruments", "size": "demo", "seed": 4},
            "earlet corpus build --kind instruments --size demo --seed 4 --out",
        ),
        (
            {"schema": "earlet-import-1", "kind": "esc50", "source": "/data/ESC-50"},
            "earlet corpus import esc50 /data/ESC-50 --out DIR",
        ),
    ],
)
def test_the_way_out_is_that_of_the_corpus(made: object, advice: str, tmp_path: Path) -> None:
    if made is not None:
        text = made if isinstance(made, str) else json.dumps(made)
        (tmp_path / "corpus.json").write_text(text)
    bad = [Bad(trial=trial(tmp_path / "a.flac"), why="is missing")]
    with pytest.raises(CorpusError) as caught:
        refuse(bad, of=2, corpus=tmp_path)
    assert advice in str(caught.value)
    assert ("corpus build" in str(caught.value)) == ("corpus build" in advice)


@pytest.mark.parametrize("imported", [True, False])
def test_sound_of_another_rate_is_converted(imported: bool, tmp_path: Path) -> None:
    if imported:
        made = {"schema": "earlet-import-1", "kind": "esc50", "source": "/data/ESC-50"}
        (tmp_path / "corpus.json").write_text(json.dumps(made))
    heard = [Heard(rate_hz=44_100, channels=2, frames=9), Heard(rate_hz=8_000, channels=1)]
    bad = [Bad(trial=trial(tmp_path / "a.flac"), why=NEED.why_not(one)) for one in heard]
    whence = "esc50 /data/ESC-50" if imported else "KIND FOLDER"
    with pytest.raises(CorpusError, match=f"corpus import {whence} --convert HZ --out DIR"):
        refuse(bad, of=2, corpus=tmp_path)
    short = Bad(trial=trial(tmp_path / "b.flac"), why="has 9 samples, expected at least 16000")
    with pytest.raises(CorpusError) as caught:
        refuse([*bad, short], of=3, corpus=tmp_path)
    assert "--convert" not in str(caught.value)
