import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet.manifest import WindowPolicy
from earlet.protocol import Trial, read_protocol
from earlet_export.material import Material, at_three_levels, choose, gather

WINDOW = WindowPolicy(window_samples=8_000, hop_samples=4_000, min_samples=4_000)


def trials(**counts: int) -> list[Trial]:
    return [
        Trial(
            speaker="s",
            file=f"{system}{i}",
            system="-" if system == "human" else system,
            key="bonafide" if system == "human" else "spoof",
            path=Path(f"{system}{i}.flac"),
        )
        for system, count in counts.items()
        for i in range(count)
    ]


def test_half_are_bona_fide_and_the_systems_are_even() -> None:
    few = choose(trials(human=900, A01=500, A02=90, A03=30), 60, np.random.default_rng(0))
    assert Counter(t.system for t in few) == {"-": 30, "A01": 10, "A02": 10, "A03": 10}


def test_many_labels_are_taken_evenly() -> None:
    notes = [
        Trial(speaker="s", file=f"{key}{i}", system="-", key=key, path=Path(f"{key}{i}.flac"))
        for key, count in {"flute": 90, "organ": 30, "reed": 4}.items()
        for i in range(count)
    ]
    few = choose(notes, 24, np.random.default_rng(0))
    assert Counter(t.key for t in few) == {"flute": 10, "organ": 10, "reed": 4}


def test_where_a_kind_runs_out_the_others_fill_up() -> None:
    few = choose(trials(human=5, A01=100, A02=3), 20, np.random.default_rng(0))
    assert Counter(t.system for t in few) == {"-": 5, "A01": 12, "A02": 3}


def test_all_are_taken_in_order_where_there_are_no_more() -> None:
    everything = trials(human=5, A01=5)
    assert choose(everything, 10, np.random.default_rng(0)) == everything


def test_the_choice_follows_the_generator() -> None:
    many = trials(human=50, A01=50)
    drawn = [choose(many, 10, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_calibration_hears_each_clip_at_three_levels() -> None:
    rng = np.random.default_rng(0)
    windows = (0.25 * rng.uniform(-1, 1, (2, 100))).astype(np.float32)
    peaks = [float(np.abs(clip).max()) for clip in at_three_levels(windows)]
    original = np.abs(windows).max(axis=1)
    np.testing.assert_allclose(peaks[:3], [original[0], original[0] / 10, 1.0], rtol=1e-5)
    np.testing.assert_allclose(
        peaks[3:], [original[1], original[1] / 10, original[1] / 100], rtol=1e-5
    )


def test_calibration_comes_from_train_and_proof_from_dev(corpus: Path, material: Material) -> None:
    assert {heard.trial.file for heard in material.trials} == {
        trial.file for trial in read_protocol(corpus, "dev")
    }
    assert material.calibration.shape == (8, 8_000)
    assert all(heard.windows.shape[1:] == (8_000,) for heard in material.trials)
    assert max(len(heard.windows) for heard in material.trials) > 1


def test_a_corpus_of_another_rate_is_refused(corpus: Path) -> None:
    with pytest.raises(CorpusError, match="16000 Hz"):
        read(corpus, sample_rate_hz=8_000)


def test_a_missing_recording_is_named(corpus: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.symlink_to(corpus)
    lost = corpus / "SOUNDS_dev" / "flac" / "dev_03.flac"
    content = lost.read_bytes()
    lost.unlink()
    try:
        with pytest.raises(CorpusError, match="dev_03"):
            read(copy)
    finally:
        lost.write_bytes(content)


def test_bad_recordings_of_all_splits_are_named_at_once_and_left_out_only_as_asked(
    corpus: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(corpus, tmp_path / "sounds"))
    for split in ("train", "dev", "eval"):
        audio = copy / f"SOUNDS_{split}" / "flac"
        (audio / f"{split}_02.flac").unlink()
        soundfile.write(audio / f"{split}_05.flac", np.zeros((9_000, 2)), 16_000)

    def gathered(*, skip_bad: bool) -> Material:
        return gather(
            copy,
            positive="spoof",
            window=WINDOW,
            sample_rate_hz=16_000,
            calibration_clips=100,
            proof_clips=100,
            held_out_clips=100,
            rng=np.random.default_rng(0),
            skip_bad=skip_bad,
        )

    with pytest.raises(CorpusError, match="6 of 72 recordings cannot be used") as caught:
        gathered(skip_bad=False)
    for split in ("train", "dev", "eval"):
        assert f"{split}_02.flac is missing" in str(caught.value)
        assert f"{split}_05.flac has 2 channels, expected one" in str(caught.value)
    material = gathered(skip_bad=True)
    assert (len(material.calibration), len(material.trials)) == (22, 22)
    assert material.held_out is not None
    assert len(material.held_out.trials) == 22
    assert (len(material.left_out), material.chosen) == (6, 72)
    for file in (copy / "SOUNDS_train" / "flac").iterdir():
        file.unlink()
    with pytest.raises(CorpusError, match="none of the 24 train recordings can be used"):
        gathered(skip_bad=True)


def test_a_dev_split_of_one_kind_is_refused(tmp_path: Path, corpus: Path) -> None:
    one = tmp_path / "one"
    (one / "X_cm_protocols").mkdir(parents=True)
    for split, suffix in (("train", "trn"), ("dev", "trl")):
        (one / f"X_{split}").symlink_to(corpus / f"SOUNDS_{split}")
        rows = (corpus / "SOUNDS_cm_protocols" / f"SOUNDS.cm.{split}.{suffix}.txt").read_text()
        kept = [row for row in rows.splitlines(keepends=True) if "spoof" in row]
        (one / "X_cm_protocols" / f"X.cm.{split}.{suffix}.txt").write_text("".join(kept))
    with pytest.raises(CorpusError, match="no recording labelled other than 'spoof'"):
        read(one)


def read(corpus: Path, *, sample_rate_hz: int = 16_000) -> NDArray[np.float32]:
    return gather(
        corpus,
        positive="spoof",
        window=WINDOW,
        sample_rate_hz=sample_rate_hz,
        calibration_clips=4,
        proof_clips=100,
        held_out_clips=0,
        rng=np.random.default_rng(0),
    ).calibration
