"""Evaluates detectors and score files on a split of a labelled corpus."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError, UsageError
from earlet.labelled import LabelledSet, read_labelled
from earlet.manifest import canonical_json
from earlet.protocol import Trial, read_protocol, splits
from earlet_bench.evaluation.binary import BinaryReport, Settings, is_binary, report_binary
from earlet_bench.evaluation.intervals import NOBODY
from earlet_bench.evaluation.listen import class_scores, spoof_scores
from earlet_bench.evaluation.multiclass import ClassReport, indices, report_classes
from earlet_bench.evaluation.score_file import Floats, ScoreFile
from earlet_bench.evaluation.subject import Subject

SCHEMA = "earlet.evaluate/1"
# Of ASVspoof 2021 LA and DF.
_COLUMNS = ("codec", "compression")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One subject on one split: `binary` for spoofed speech, `classes` for anything else.

    `sha256`: of the graph or checkpoint, None for a score file. `listed`: trials in the protocol;
    `trials` of them were judged, drawn with `seed` where a limit was set, without those `skipped`.
    """

    subject: str
    precision: str | None
    sha256: str | None
    data: str
    split: str
    listed: int
    trials: int
    seed: int | None
    skipped: tuple[str, ...]
    binary: BinaryReport | None = None
    classes: ClassReport | None = None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An evaluation with the scores that it was made of, for pictures and score files.

    `scores`: [N], higher = spoof; of several classes [N, K].
    """

    evaluation: Evaluation
    trials: Sequence[Trial] = field(repr=False)
    scores: NDArray[np.float64] = field(repr=False)


def evaluate_subject(
    subject: Subject,
    labelled: LabelledSet,
    *,
    settings: Settings,
    on_trial: Callable[[], None] = lambda: None,
) -> Judged:
    """Let a detector hear the split, and report. Raises CorpusError.

    What cannot be judged is best found before, all at once: `LabelledSet.usable`.
    """
    check_labels(subject, labelled)
    evaluation = Evaluation(
        subject=subject.title,
        precision=subject.precision,
        sha256=subject.sha256,
        data=labelled.name,
        split=labelled.split,
        listed=labelled.listed,
        trials=len(labelled.trials),
        seed=labelled.seed,
        skipped=tuple(f"{one.trial.path.name} {one.why}" for one in labelled.left_out),
    )
    if is_binary(subject.labels):
        scores = spoof_scores(subject, labelled.trials, on_trial=on_trial)
        _check_finite(scores, labelled.trials)
        # The score is that of the positive label; the report's is that of `spoof`.
        sign = 1.0 if subject.positive == "spoof" else -1.0
        report = report_binary(
            sign * scores,
            labelled,
            threshold=sign * subject.threshold,
            threshold_origin="the detector's own",
            settings=settings,
        )
        evaluation = dataclasses.replace(evaluation, binary=report)
        return Judged(evaluation=evaluation, trials=labelled.trials, scores=sign * scores)
    scores = class_scores(subject, labelled.trials, on_trial=on_trial)
    _check_finite(scores.min(axis=1), labelled.trials)
    classes = report_classes(
        scores,
        [t.key for t in labelled.trials],
        labels=subject.labels,
        groups=[t.file if t.speaker == NOBODY else t.speaker for t in labelled.trials],
        resamples=settings.resamples,
    )
    evaluation = dataclasses.replace(evaluation, classes=classes)
    return Judged(evaluation=evaluation, trials=labelled.trials, scores=scores)


def evaluate_scores(
    file: ScoreFile,
    labelled: LabelledSet,
    *,
    settings: Settings,
    elsewhere: frozenset[str] = frozenset(),
    threshold: float | None = None,
) -> Judged:
    """Report on scores that are there already. Raises CorpusError where trials do not match.

    `threshold`: on earlet's scale [default: what the file's lines tell, else 0].
    """
    labelled.check_spoof_labels()
    scores = file.of(labelled.trials, elsewhere=elsewhere)
    origin = "as asked"
    if threshold is None:
        origin = "score 0" if file.threshold is None else "the detector's own"
        threshold = file.threshold or 0.0
    report = report_binary(
        scores, labelled, threshold=threshold, threshold_origin=origin, settings=settings
    )
    evaluation = Evaluation(
        subject=Path(file.name).name,
        precision=None,
        sha256=None,
        data=labelled.name,
        split=labelled.split,
        listed=labelled.listed,
        trials=len(labelled.trials),
        seed=labelled.seed,
        skipped=(),
        binary=report,
    )
    return Judged(evaluation=evaluation, trials=labelled.trials, scores=scores)


def read_split(corpus: Path, split: str) -> LabelledSet:
    """A whole split by its protocol alone: scores need no audio. Raises CorpusError."""
    return read_labelled(corpus, limit=None, seed=0, split=split)


def other_trials(corpus: Path, split: str) -> frozenset[str]:
    """The trials of a corpus's other splits: one score file may hold several of them."""
    return frozenset(
        trial.file
        for other in splits(corpus)
        if other != split
        for trial in read_protocol(corpus, other)
    )


def column(corpus: Path, split: str, wanted: str | None) -> str | None:
    """The column that conditions are made of: the wanted one, or what is found of `_COLUMNS`.

    Raises UsageError where no trial of the split tells the wanted one.
    """
    columns = {name for trial in read_protocol(corpus, split) for name in trial.extras}
    if wanted is None:
        return next((name for name in _COLUMNS if name in columns), None)
    if wanted not in columns:
        raise UsageError(
            f"--by {wanted}: the split {split!r} of {corpus} tells nothing of that name; it has "
            f"{', '.join(sorted(columns)) or 'no further columns'}."
        )
    return wanted


def check_labels(subject: Subject, labelled: LabelledSet) -> None:
    """Raises CorpusError where the split's labels and the detector's classes do not match."""
    if is_binary(subject.labels):
        labelled.check_spoof_labels()
    else:
        indices([t.key for t in labelled.trials], subject.labels)


def to_json(evaluations: Sequence[Evaluation]) -> str:
    """Evaluations -> JSON text, rates in 0..1, no NaN."""
    return canonical_json(
        {"schema": SCHEMA, "evaluations": [dataclasses.asdict(e) for e in evaluations]}
    )


def _check_finite(scores: Floats, trials: Sequence[Trial]) -> None:
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise CorpusError(
            f"{len(bad)} of {len(trials)} recordings got a score that is not finite; the first is "
            f"{trials[int(bad[0])].path}. Look for NaN in that file; if it is sound, run earlet "
            "verify on the bundle."
        )
