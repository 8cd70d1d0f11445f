"""Protocols are read row by row, and a bad row is named."""

from pathlib import Path

import pytest

from earlet.errors import CorpusError
from earlet.protocol import known_systems, missing_files, read_protocol, splits


def tree(root: Path, split: str, rows: str, *, name: str = "LA") -> Path:
    """An ASVspoof 2019 tree with one protocol."""
    suffix = {"train": "train.trn.txt", "dev": "dev.trl.txt", "eval": "eval.trl.txt"}[split]
    (root / f"{name}_{split}" / "flac").mkdir(parents=True, exist_ok=True)
    protocols = root / f"{name}_cm_protocols"
    protocols.mkdir(exist_ok=True)
    (protocols / f"ASVspoof2019.{name}.cm.{suffix}").write_text(rows, encoding="utf-8")
    return root


ROWS = "LA_0079 LA_T_1138215 - - bonafide\n\nLA_0080 LA_T_1271820 - A01 spoof\n"


@pytest.mark.parametrize("split", ["train", "dev", "eval"])
def test_rows_become_trials_in_order(tmp_path: Path, split: str) -> None:
    first, second = read_protocol(tree(tmp_path, split, ROWS), split)
    assert (first.speaker, first.file, first.system, first.key) == (
        *("LA_0079", "LA_T_1138215", "-", "bonafide"),
    )
    assert [first.is_spoof, second.is_spoof] == [False, True]
    assert second.path == tmp_path / f"LA_{split}" / "flac" / "LA_T_1271820.flac"


def test_audio_that_is_missing_is_listed_but_does_not_stop_the_reading(corpus: Path) -> None:
    trials = read_protocol(corpus, "eval")
    assert missing_files(trials) == []
    trials[3].path.unlink()
    assert missing_files(trials) == [trials[3].path]


def test_the_known_systems_are_those_of_training(tmp_path: Path) -> None:
    rows = ROWS + "LA_0080 LA_T_3 - A02 spoof\nLA_0081 LA_T_4 - A01 spoof\n"
    assert known_systems(tree(tmp_path, "train", rows)) == {"A01", "A02"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("A B - bonafide\n", "row 1: found 4 columns, expected 5: SPEAKER FILE - SYSTEM KEY"),
        ("A B - - genuine\n", "row 1: key 'genuine' is neither 'bonafide' nor 'spoof'"),
        ("A B - A01 bonafide\n", "row 1: key 'bonafide' does not fit system 'A01'"),
        ("A B - - spoof\n", "row 1: key 'spoof' does not fit system '-'"),
        ("A B - - bonafide\nC B - - bonafide\n", "row 2: file 'B' is listed already in row 1"),
        ("\n\n", "lists no trial"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read_protocol(tree(tmp_path, "dev", rows), "dev")


def test_a_tree_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"there is no folder .*earlet corpus build"):
        read_protocol(tmp_path / "nowhere", "dev")
    with pytest.raises(CorpusError, match="holds 0 protocols for the split 'dev', expected one"):
        read_protocol(tmp_path, "dev")
    with pytest.raises(CorpusError, match="no split 'test'; the splits are train, dev, eval"):
        read_protocol(tmp_path, "test")


def test_two_corpora_in_one_folder_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "dev", ROWS)
    tree(tmp_path, "dev", ROWS, name="PA")
    with pytest.raises(CorpusError, match="holds 2 protocols"):
        read_protocol(tmp_path, "dev")


def test_a_tree_without_its_audio_folder_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "dev", ROWS)
    (tmp_path / "LA_dev" / "flac").rmdir()
    with pytest.raises(CorpusError, match="0 audio folders for the split 'dev'"):
        read_protocol(tmp_path, "dev")


def test_the_splits_are_those_that_are_listed(tmp_path: Path) -> None:
    assert splits(tmp_path) == ()
    tree(tmp_path, "eval", ROWS)
    tree(tmp_path, "train", ROWS)
    assert splits(tmp_path) == ("train", "eval")


def test_the_environment_of_replay_is_kept(tmp_path: Path) -> None:
    (trial,) = read_protocol(tree(tmp_path, "dev", "PA_0069 PA_D_1 bca AC spoof\n"), "dev")
    assert trial.extras == {"environment": "bca"}
