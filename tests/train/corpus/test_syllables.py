from pathlib import Path

import numpy as np
import pytest
import soundfile

from earlet.errors import CorpusError
from earlet.protocol import read_protocol
from earlet_train.corpus.build import Order
from earlet_train.corpus.packages import PACKAGES
from earlet_train.corpus.syllables import build_syllables, read_syllables, split_of, trim

FOLDERS = ["ㄇㄚ", "ㄇㄚ2", "ㄇㄚ3", "ㄇㄚ4", "ㄇㄚ1", "ㄅ", "ㄓ", "ㄕ4"]


def cached(root: Path, folders: list[str]) -> Path:
    """A cache that holds the package as unpacked, with sounds of our own in it."""
    rng = np.random.default_rng(2)
    store = root / "unpacked"
    for folder in folders:
        place = store / "gcin-voice/usr/share/gcin-voice/ogg" / folder
        place.mkdir(parents=True)
        for speaker in ("3", "5"):
            tone = np.sin(np.arange(15_000) * rng.uniform(0.02, 0.1)) * 0.3
            quiet = np.zeros(6_000)
            soundfile.write(place / f"{speaker}.ogg", np.r_[quiet, tone, quiet], 44_100)
    (store / ".gcin-voice.sha256").write_text(PACKAGES["gcin-voice"].sha256 + "\n")
    return root


def test_the_tone_is_the_digit_after_the_sounds(tmp_path: Path) -> None:
    root = cached(tmp_path, FOLDERS) / "unpacked/gcin-voice/usr/share/gcin-voice/ogg"
    found = {(s.sounds, s.tone, s.speaker) for s in read_syllables(root)}
    assert {(sounds, tone) for sounds, tone, _ in found} == {
        ("ㄇㄚ", ""),
        ("ㄇㄚ", "2"),
        ("ㄇㄚ", "3"),
        ("ㄇㄚ", "4"),
        ("ㄓ", ""),
        ("ㄕ", "4"),
    }
    assert {speaker for _, _, speaker in found} == {"3", "5"}


def test_speakers_are_apart_and_all_tones_of_a_syllable_together(tmp_path: Path) -> None:
    sounds = [a + b for a in "ㄅㄆㄇㄈㄉㄊ" for b in "ㄚㄛㄜㄞㄟ"]
    folders = [s + tone for s in sounds for tone in ("", "2", "3", "4")]
    out = tmp_path / "corpus"
    order = Order(size="demo", out=out, seed=0, jobs=1, cache=cached(tmp_path, folders))
    inventory = build_syllables(order)
    trials = {split: read_protocol(out, split) for split in ("train", "dev", "eval")}
    assert {t.speaker for t in trials["eval"]} == {"gcin-3"}
    assert {t.speaker for t in trials["train"] + trials["dev"]} == {"gcin-5"}
    own = {split: {t.extras["sounds"] for t in trials[split]} for split in ("train", "dev")}
    assert own["dev"]
    assert not own["train"] & own["dev"]
    assert inventory.counts["eval"] == dict.fromkeys(("tone1", "tone2", "tone3", "tone4"), 30)
    assert build_syllables(order) == inventory


def test_another_seed_sets_other_syllables_apart(tmp_path: Path) -> None:
    folders = [a + b for a in "ㄅㄆㄇㄈㄉㄊ" for b in "ㄚㄛㄜㄞㄟ"]
    root = cached(tmp_path, folders) / "unpacked/gcin-voice/usr/share/gcin-voice/ogg"
    found = read_syllables(root)
    assert [split_of(s, seed=0) for s in found] != [split_of(s, seed=1) for s in found]


def test_silence_around_a_syllable_is_cut_off() -> None:
    sound = np.r_[np.zeros(3_200), 0.5 * np.ones(1_600), np.zeros(4_800)].astype(np.float32)
    np.testing.assert_array_equal(trim(sound), sound[3_200:4_800])
    assert trim(np.zeros(1_600, np.float32)).size == 0


def test_a_package_without_syllables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no syllables"):
        read_syllables(tmp_path)
