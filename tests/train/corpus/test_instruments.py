import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from earlet.cli import run
from earlet.errors import UsageError
from earlet.protocol import read_protocol
from earlet.scoring import read_trial
from earlet_train.corpus.build import Order
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.instrument_families import (
    FAMILIES,
    SAME_RECORDINGS,
    groups_of_recordings,
)
from earlet_train.corpus.instruments import SIZES, build_instruments, draw_notes, finish, usable
from earlet_train.corpus.packages import PACKAGES

RNG = np.random.default_rng(8)


def test_no_program_is_in_two_families() -> None:
    for one, other in combinations(FAMILIES.values(), 2):
        assert not set(one) & set(other)
    assert len(FAMILIES) == 11


def test_programs_that_share_recordings_stay_together() -> None:
    for own in FAMILIES.values():
        groups = groups_of_recordings(own)
        assert sorted(p for group in groups for p in group) == sorted(own)
        for alike in SAME_RECORDINGS:
            assert sum(bool(alike & set(group)) for group in groups) <= 1


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("size", list(SIZES))
def test_splits_share_neither_font_nor_program_where_they_must_not(size: str, seed: int) -> None:
    draws = draw_notes(SIZES[size], seed=seed)
    fonts = {s: {d.font.name for d in draws if d.split == s} for s in ("train", "dev", "eval")}
    assert not fonts["eval"] & (fonts["train"] | fonts["dev"])
    for family in FAMILIES:
        used = {
            split: {n.program for d in draws if (d.split, d.family) == (split, family)
                    for n in d.notes}
            for split in ("train", "dev")
        }  # fmt: skip
        assert used["train"]
        assert used["dev"]
        assert not used["train"] & used["dev"]
        for alike in SAME_RECORDINGS:
            assert not (used["train"] & alike and used["dev"] & alike)


def test_all_families_get_as_many_notes_over_the_same_keys() -> None:
    draws = draw_notes(SIZES["standard"], seed=0)
    for split, wanted in (("train", 352), ("dev", 88), ("eval", 220)):
        for family in FAMILIES:
            own = [d for d in draws if (d.split, d.family) == (split, family)]
            assert sum(d.wanted for d in own) == wanted
            keys = [n.key for d in own for n in d.notes]
            assert 33 <= min(keys) <= 36
            assert 89 <= max(keys) <= 92
            assert 59 < np.mean(keys) < 66


def test_fonts_of_a_split_play_different_keys_while_there_are_enough() -> None:
    for family in ("bass", "guitar", "string"):
        one, other = (
            {(n.program, n.key) for n in d.notes}
            for d in draw_notes(SIZES["demo"], seed=0)
            if (d.split, d.family) == ("train", family)
        )
        assert not one & other


def test_the_seed_decides_what_is_drawn() -> None:
    size = SIZES["demo"]
    assert draw_notes(size, seed=5) == draw_notes(size, seed=5)
    assert draw_notes(size, seed=5) != draw_notes(size, seed=6)


def test_a_note_is_written_at_the_peak_asked_for_and_ends_in_silence() -> None:
    sound = (0.01 * np.sin(np.arange(32_000) / 7)).astype(np.float32)
    samples = finish(sound, peak_dbfs=-6.0)
    assert samples is not None
    assert abs(np.abs(samples).max() - 32767 * 10 ** (-6 / 20)) <= 1
    assert samples[-1] == 0
    assert np.abs(samples[-2000:-200]).max() > 10_000


def test_a_note_that_does_not_sound_is_left_out() -> None:
    assert finish(np.full(32_000, 1e-5, np.float32), peak_dbfs=-1.0) is None


def test_silent_notes_and_copies_are_replaced_by_the_next_ones() -> None:
    draw = draw_notes(SIZES["demo"], seed=0)[0]
    sounds = [RNG.standard_normal(32_000).astype(np.float32) for _ in draw.notes]
    sounds[1] = np.zeros(32_000, np.float32)
    keys = [note.key for note in draw.notes]
    first, second = next((i, j) for j in range(2, 60) for i in range(2, j) if keys[i] == keys[j])
    sounds[second] = 0.3 * sounds[first]
    peaks = RNG.uniform(-12, -1, len(sounds))
    levels = [finish(s, peak_dbfs=float(p)) for s, p in zip(sounds, peaks, strict=True)]
    kept = list(usable(draw, levels, {}))
    assert len(kept) == draw.wanted
    expected = [n for i, n in enumerate(draw.notes) if i not in (1, second)][: draw.wanted]
    assert [int(c.extras["note"]) for c in kept] == [n.key for n in expected]
    again: dict[int, list[Samples]] = {}
    once = {clip.name for clip in usable(draw, levels, again)}
    assert not once & {clip.name for clip in usable(draw, levels, again)}


def test_an_unknown_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="demo, standard, full"):
        build_instruments(Order(size="huge", out=tmp_path / "c", seed=0, jobs=1))
    assert not (tmp_path / "c").exists()


def test_a_kind_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["corpus", "build", "--kind", "birds", "--out", str(tmp_path / "c")]) == 2
    assert "instruments" in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_is_built_and_read_back(tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    inventory = build_instruments(Order(size="demo", out=out, seed=0, jobs=2))
    assert inventory.counts["eval"] == dict.fromkeys(sorted(FAMILIES), 60)
    trials = {split: read_protocol(out, split) for split in ("train", "dev", "eval")}
    assert {t.extras["font"] for t in trials["eval"]} == {"fluid-mono"}
    assert {t.extras["font"] for t in trials["train"]} == {"timgm", "csound"}
    for trial in trials["eval"][::50]:
        assert read_trial(trial, sample_rate_hz=16_000).shape == (32_000,)
    held = json.loads((out / "corpus.json").read_text(encoding="utf-8"))["packages"]
    assert held["timgm6mb-soundfont"]["sha256"] == PACKAGES["timgm6mb-soundfont"].sha256
    # A second call finds it whole; a lost file is made again, the same to the bit.
    lost = trials["train"][5].path
    before = lost.read_bytes()
    lost.unlink()
    assert build_instruments(Order(size="demo", out=out, seed=0, jobs=2)) == inventory
    assert lost.read_bytes() == before
