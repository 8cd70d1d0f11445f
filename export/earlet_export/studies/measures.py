"""Scores of a finished training -> the field's measures, by the code of `earlet evaluate`."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from earlet.labelled import LabelledSet, read_labelled
from earlet_bench.evaluation.binary import BinaryReport, Settings, report_binary
from earlet_bench.evaluation.evaluation import Evaluation, Judged
from earlet_bench.evaluation.intervals import NOBODY
from earlet_bench.evaluation.multiclass import ClassReport, report_classes
from earlet_export.studies.grid import Answer
from earlet_export.studies.variant import Variant


def class_report(answer: Answer, *, resamples: int = 0) -> ClassReport:
    """What eval says of a detector of several labels; without intervals unless asked for."""
    trials = eval_set(answer.variant.corpus).trials
    return report_classes(
        answer.eval,
        [t.key for t in trials],
        labels=answer.variant.recipe.labels,
        groups=[t.file if t.speaker == NOBODY else t.speaker for t in trials],
        resamples=resamples,
    )


def spoof_report(answer: Answer, *, resamples: int = 0) -> BinaryReport:
    """What eval says of a detector of spoofed speech; without intervals unless asked for."""
    return report_binary(
        answer.eval,
        eval_set(answer.variant.corpus),
        threshold=answer.done.threshold,
        threshold_origin="the detector's own",
        settings=Settings(resamples=resamples),
    )


def judged(answer: Answer, *, resamples: int) -> Judged:
    """The same as `earlet evaluate` holds it, for its pictures."""
    labelled = eval_set(answer.variant.corpus)
    is_spoof = answer.eval.ndim == 1
    return Judged(
        evaluation=Evaluation(
            subject=answer.variant.title,
            precision=None,
            sha256=None,
            data=labelled.name,
            split=labelled.split,
            listed=labelled.listed,
            trials=len(labelled.trials),
            seed=None,
            skipped=(),
            binary=spoof_report(answer, resamples=resamples) if is_spoof else None,
            classes=None if is_spoof else class_report(answer, resamples=resamples),
        ),
        trials=labelled.trials,
        scores=answer.eval,
    )


def of_variant(answers: Sequence[Answer], variant: Variant) -> list[Answer]:
    """The answers of one row, in the order of their seeds."""
    own = [a for a in answers if a.variant.name == variant.name]
    return sorted(own, key=lambda a: a.done.seed)


def paired(answers: Sequence[Answer], first: Variant, second: Variant) -> tuple[list[int], ...]:
    """Indices into `answers` of both rows for the seeds that both have, in the same order."""
    places = {(a.variant.name, a.done.seed): i for i, a in enumerate(answers)}
    seeds = [s for s in first.seeds if {(first.name, s), (second.name, s)} <= places.keys()]
    return tuple([places[v.name, s] for s in seeds] for v in (first, second))


@cache
def eval_set(corpus: Path) -> LabelledSet:
    """The eval split that scores are in the order of."""
    return read_labelled(corpus, limit=None, seed=0, split="eval")


@cache
def dev_labels(corpus: Path) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """[N], True for the spoofed recordings of dev."""
    trials = read_labelled(corpus, limit=None, seed=0, split="dev").trials
    return np.array([t.is_spoof for t in trials])
