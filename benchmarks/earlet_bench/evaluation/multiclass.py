"""How well one of several classes is told: accuracy, recall of each class, confusion, mAP."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet_bench.evaluation.intervals import RESAMPLES, SEED, Estimate, estimate, estimates

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClassReport:
    """Rates in 0..1. `confusion`: rows are the truth, columns what was said, in `labels`' order.

    `macro_accuracy`: the mean of the classes' recalls, however many trials each has (the rule of
    the DCASE scene task). `mean_average_precision`: of each class against the others, averaged.
    """

    labels: tuple[str, ...]
    accuracy: Estimate
    macro_accuracy: Estimate
    mean_average_precision: Estimate
    recalls: tuple[Estimate, ...]
    average_precisions: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]


def report_classes(
    class_scores: Floats,
    truth: Sequence[str],
    *,
    labels: Sequence[str],
    groups: Sequence[str],
    resamples: int = RESAMPLES,
) -> ClassReport:
    """Class scores [N, K], true labels [N] -> ClassReport. Raises CorpusError.

    The answer is the class of the highest score; only the order of the scores counts.
    """
    from sklearn.metrics import average_precision_score, confusion_matrix

    true = indices(truth, labels)
    said = class_scores.argmax(axis=1)
    correct = (said == true).astype(np.float64)
    one_hot = np.eye(len(labels))[true]

    own = [np.flatnonzero(true == index) for index in range(len(labels))]

    def rates(weights: Floats) -> list[float]:
        """[accuracy, macro accuracy, recall of each class]."""
        recalls = [float(correct[k] @ weights[k] / weights[k].sum()) for k in own]
        return [float(correct @ weights / weights.sum()), float(np.mean(recalls)), *recalls]

    def mean_average_precision(weights: Floats) -> float:
        return float(average_precision_score(one_hot, class_scores, sample_weight=weights))

    accuracy, macro, *recalls = estimates(
        rates,
        groups=groups,
        classes=truth,
        rng=np.random.default_rng(SEED),
        resamples=resamples,
    )
    return ClassReport(
        labels=tuple(labels),
        accuracy=accuracy,
        macro_accuracy=macro,
        # Each resample sorts every class anew, which takes a while: fewer of them do.
        mean_average_precision=estimate(
            mean_average_precision,
            groups=groups,
            classes=truth,
            rng=np.random.default_rng(SEED),
            resamples=min(resamples, 200),
        ),
        recalls=tuple(recalls),
        average_precisions=tuple(
            float(average_precision_score(one_hot[:, k], class_scores[:, k]))
            for k in range(len(labels))
        ),
        confusion=tuple(
            tuple(map(int, row)) for row in confusion_matrix(true, said, labels=range(len(labels)))
        ),
    )


def indices(truth: Sequence[str], labels: Sequence[str]) -> Integers:
    """True labels [N] -> their places among `labels` [N].

    Raises CorpusError on a label that the detector does not know, or a class without a trial.
    """
    place = {label: index for index, label in enumerate(labels)}
    unknown = [label for label in truth if label not in place]
    if unknown:
        raise CorpusError(
            f"{len(unknown)} of {len(truth)} trials are labelled otherwise than the detector's "
            f"classes, the first {unknown[0]!r}; it knows {', '.join(labels)}."
        )
    found = np.array([place[label] for label in truth], dtype=np.int64)
    absent = [label for index, label in enumerate(labels) if not (found == index).any()]
    if absent:
        raise CorpusError(
            f"{len(absent)} of the detector's {len(labels)} classes have no trial in this split, "
            f"the first is {absent[0]!r}. Evaluate a split that holds them all."
        )
    return found
