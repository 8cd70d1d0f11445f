"""Score files in three forms, whichever sign they have, and whatever can be wrong with them."""

import json
from pathlib import Path

import numpy as np
import pytest

from earlet.errors import CorpusError, UsageError
from earlet.protocol import Trial
from earlet_bench.evaluation.score_file import read_scores, write_scores

TRIALS = [
    Trial(speaker="S", file=name, system=system, key=key, path=Path(f"/audio/{name}.flac"))
    for name, system, key in (("E_1", "-", "bonafide"), ("E_2", "A07", "spoof"))
]


def written(folder: Path, text: str) -> Path:
    file = folder / "scores.txt"
    file.write_text(text)
    return file


def test_asvspoof_files_are_turned_round_and_lines_of_detect_are_not(tmp_path: Path) -> None:
    for text in ("E_2 -3.5\nE_1 2.5\n", "E_1 - bonafide 2.5\nE_2 A07 spoof -3.5\n"):
        found = read_scores(written(tmp_path, text))
        assert found.of(TRIALS).tolist() == [-2.5, 3.5]
        assert found.higher == "bonafide"
    lines = [
        json.dumps({"file": f"some/where/{n}.flac", "score": s, "threshold": 0.25, "status": "ok"})
        for n, s in (("E_1", -2.5), ("E_2", 3.5))
    ]
    found = read_scores(written(tmp_path, "\n".join(lines) + "\n"))
    assert found.of(TRIALS).tolist() == [-2.5, 3.5]
    assert found.threshold == 0.25


def test_the_sign_can_be_told(tmp_path: Path) -> None:
    found = read_scores(written(tmp_path, "E_1 -2.5\nE_2 3.5\n"), higher="spoof")
    assert found.of(TRIALS).tolist() == [-2.5, 3.5]


def test_what_is_written_has_the_asvspoof_sign_and_comes_back(tmp_path: Path) -> None:
    scores = np.array([-2.123456789012, 1e-7])
    write_scores(tmp_path / "out.txt", TRIALS, scores)
    assert (tmp_path / "out.txt").read_text().splitlines()[0] == "E_1 2.12345679"
    assert read_scores(tmp_path / "out.txt").of(TRIALS) == pytest.approx(scores)
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("E_1 1\nE_2\n", "row 2: found 1 columns, expected TRIAL SCORE"),
        ("E_1 1\nE_2 high\n", "row 2: the score 'high' is not a number"),
        ("E_1 1\nE_2 nan\n", "row 2: the score of 'E_2' is nan; a score must be"),
        ("E_1 1\nE_2 -inf\n", "row 2: the score of 'E_2' is -inf"),
        ("E_1 1\nE_1 2\n", "row 2: 'E_1' was scored already"),
        ('{"file": "E_1.wav"}\n', "row 1: expected an object with 'file' and 'score'"),
        (
            '{"file": "E_1.wav", "score": null, "status": "no_signal"}\n',
            r"row 1: 'E_1.wav' got no score \(status 'no_signal'\)",
        ),
        ('{"file": "E_1.wav", "score": "1"}\n', "row 1: the score '1' is not a number"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        read_scores(written(tmp_path, text))


def test_trials_without_a_score_are_counted_and_the_first_named(tmp_path: Path) -> None:
    found = read_scores(written(tmp_path, "E_1 1\n"))
    with pytest.raises(CorpusError, match="lacks the scores of 1 of 2 trials; the first is 'E_2'"):
        found.of(TRIALS)


def test_scores_without_a_trial_are_counted_and_the_first_named(tmp_path: Path) -> None:
    found = read_scores(written(tmp_path, "E_1 1\nE_2 2\nX_1 3\nX_2 4\n"))
    with pytest.raises(CorpusError, match=r"scores 2 trials that the corpus does not.*'X_1'"):
        found.of(TRIALS)
    assert len(found.of(TRIALS, elsewhere=frozenset({"X_1", "X_2"}))) == 2


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not text"):
        read_scores(tmp_path / "binary")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_scores(tmp_path / "nothing")
