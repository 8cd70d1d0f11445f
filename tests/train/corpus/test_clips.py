from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from earlet.errors import CorpusError
from earlet.protocol import read_protocol
from earlet.scoring import read_trial
from earlet_train.corpus.clips import Clip, ClipInventory, begin, empty_inventory, write_clips


def clips() -> list[Clip]:
    rng = np.random.default_rng(4)
    return [
        Clip(
            split=split,
            label=label,
            speaker=f"{label}-{i}",
            extras={"place": f"{i}"},
            samples=rng.integers(-9_000, 9_000, 4_000).astype(np.int16),
        )
        for split in ("train", "dev", "eval")
        for label in ("bell", "horn")
        for i in range(3)
    ]


def write(out: Path, those: Sequence[Clip], *, seed: int = 0) -> ClipInventory:
    assert begin(out, kind="sounds", size="demo", seed=seed) is None
    inventory = empty_inventory(
        kind="sounds",
        size="demo",
        seed=seed,
        labels={"bell": "rings", "horn": "blares"},
        packages=["gcin-voice"],
        left_out={},
    )
    return write_clips(out, those, inventory=inventory, on_clip=lambda done: None)


def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path) -> None:
    those = clips()
    inventory = write(tmp_path / "c", those)
    assert inventory.counts["dev"] == {"bell": 3, "horn": 3}
    assert inventory.hours["dev"] == pytest.approx(6 * 0.25 / 3600, abs=1e-4)
    for split in ("train", "dev", "eval"):
        trials = {t.file: t for t in read_protocol(tmp_path / "c", split)}
        assert list(trials) == sorted(trials)
        for clip in (c for c in those if c.split == split):
            trial = trials[clip.name]
            assert (trial.key, trial.speaker, trial.extras) == (
                clip.label,
                clip.speaker,
                clip.extras,
            )
            samples = np.rint(read_trial(trial, sample_rate_hz=16_000) * 32_768)
            np.testing.assert_array_equal(samples, clip.samples)


def test_a_finished_corpus_is_known_again_and_a_torn_one_is_not(tmp_path: Path) -> None:
    inventory = write(tmp_path / "c", clips())
    assert begin(tmp_path / "c", kind="sounds", size="demo", seed=0) == inventory
    next((tmp_path / "c/audio/dev").glob("*.flac")).unlink()
    assert begin(tmp_path / "c", kind="sounds", size="demo", seed=0) is None


def test_a_build_that_was_cut_goes_on_in_its_own_folder_alone(tmp_path: Path) -> None:
    out = tmp_path / "c"
    assert begin(out, kind="sounds", size="demo", seed=0) is None
    assert begin(out, kind="sounds", size="demo", seed=0) is None
    with pytest.raises(CorpusError, match="choose another folder"):
        begin(out, kind="sounds", size="demo", seed=1)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear all")
    with pytest.raises(CorpusError, match="not empty"):
        begin(tmp_path, kind="sounds", size="demo", seed=0)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_another_finished_corpus_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "c", clips())
    with pytest.raises(CorpusError, match="holds another corpus"):
        begin(tmp_path / "c", kind="sounds", size="demo", seed=7)
    (tmp_path / "c/corpus.json").write_text('{"schema": "earlet-corpus-1"}')
    with pytest.raises(CorpusError, match="another kind"):
        begin(tmp_path / "c", kind="sounds", size="demo", seed=0)
