"""Reads and writes the scores of a detector, one recording a line.

Three forms are read; which one a file has is seen from its first line:

    TRIAL SCORE                      ASVspoof 2021 and later
    TRIAL SOURCE KEY SCORE           ASVspoof 2019
    {"file": "x.wav", "score": ...}  what `earlet detect --json` prints

Sign: the ASVspoof files have higher = bona fide, earlet's own lines higher = the label that the
detector is built to find (spoof). Everything that `read_scores` returns has earlet's sign.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError, UsageError
from earlet.protocol import Trial

Floats = NDArray[np.float64]
Higher = Literal["bonafide", "spoof"]


@dataclass(frozen=True, kw_only=True)
class ScoreFile:
    """Scores by trial, higher = spoof. `threshold`: the detector's own, where its lines tell."""

    name: str
    higher: Higher
    scores: Mapping[str, float] = field(repr=False)
    threshold: float | None = None

    def of(self, trials: Sequence[Trial], *, elsewhere: frozenset[str] = frozenset()) -> Floats:
        """Scores [N] of these trials. Raises CorpusError where the two lists do not match.

        `elsewhere`: trials of the corpus's other splits, which a file may hold too.
        """
        names = {trial.file for trial in trials}
        lost = [trial.file for trial in trials if trial.file not in self.scores]
        if lost:
            raise CorpusError(
                f"{self.name} lacks the scores of {len(lost)} of {len(names)} trials; the first is "
                f"{lost[0]!r}. Score the whole split, or name the split that was scored with "
                "--split."
            )
        strangers = [name for name in self.scores if name not in names and name not in elsewhere]
        if strangers:
            raise CorpusError(
                f"{self.name} scores {len(strangers)} trials that the corpus does not list; the "
                f"first is {strangers[0]!r}. Check that file and corpus belong together."
            )
        return np.array([self.scores[trial.file] for trial in trials])


def read_scores(file: Path, *, higher: Higher | None = None) -> ScoreFile:
    """A score file -> ScoreFile. Raises UsageError, naming the first row that does not fit.

    `higher`: the label that high scores stand for [default: the form's own].
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not text; expected a score file.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.") from None
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise UsageError(f"{file} is empty; expected rows of TRIAL SCORE.")
    own: Higher = "spoof" if first.startswith("{") else "bonafide"
    wanted: Higher = higher or own
    parse = _from_json if own == "spoof" else _from_columns
    scores: dict[str, float] = {}
    thresholds: set[float] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        trial, score, threshold = parse(line, where=f"{file}, row {number}")
        if not math.isfinite(score):
            raise UsageError(
                f"{file}, row {number}: the score of {trial!r} is {score}; a score must be a "
                "finite number. Score that recording again."
            )
        if trial in scores:
            raise UsageError(
                f"{file}, row {number}: {trial!r} was scored already in an earlier row; expected "
                "one score for each recording."
            )
        scores[trial] = score if wanted == "spoof" else -score
        if threshold is not None:
            thresholds.add(threshold)
    return ScoreFile(
        name=str(file),
        higher=wanted,
        scores=scores,
        threshold=thresholds.pop() if len(thresholds) == 1 and wanted == own else None,
    )


def write_scores(file: Path, trials: Sequence[Trial], scores: Floats) -> None:
    """Scores [N], higher = spoof -> TRIAL SCORE rows of the ASVspoof sign, higher = bona fide."""
    rows = [f"{t.file} {-score:.9g}\n" for t, score in zip(trials, scores, strict=True)]
    write_text(file, "".join(rows))


def write_text(file: Path, text: str) -> None:
    """Write beside and rename, so that a reader sees all of it or nothing. Raises UsageError."""
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent} for {file.name}: make it first.")
    beside = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _from_columns(line: str, *, where: str) -> tuple[str, float, None]:
    cells = line.split()
    if len(cells) not in (2, 4):
        raise UsageError(
            f"{where}: found {len(cells)} columns, expected TRIAL SCORE, or TRIAL SOURCE KEY SCORE "
            f"as in 2019. The row reads: {line.strip()[:80]!r}"
        )
    try:
        return cells[0], float(cells[-1]), None
    except ValueError:
        raise UsageError(f"{where}: the score {cells[-1]!r} is not a number.") from None


def _from_json(line: str, *, where: str) -> tuple[str, float, float | None]:
    try:
        record = json.loads(line)
        name, score, threshold = record["file"], record["score"], record.get("threshold")
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{where}: expected an object with 'file' and 'score', as earlet detect --json prints "
            f"it. The row reads: {line.strip()[:80]!r}"
        ) from None
    if score is None:
        raise UsageError(
            f"{where}: {name!r} got no score (status {record.get('status')!r}). Leave it out of "
            "the corpus, or score it otherwise."
        )
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise UsageError(f"{where}: the score {score!r} is not a number.")
    return (
        PurePath(str(name)).stem,
        float(score),
        float(threshold) if isinstance(threshold, int | float) else None,
    )
