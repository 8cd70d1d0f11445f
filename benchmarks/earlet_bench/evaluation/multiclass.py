"""How well one of several classes is told: accuracy, recall of each class, confusion, mAP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet_bench.evaluation.intervals import RESAMPLES, SEED, Estimate, estimate

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

    def mean_average_precision(weights: Floats) -> float:
        return float(average_precision_score(one_hot, class_scores, sample_weight=weights))

    def recall(index: int, weights: Floats) -> float:
        own = weights * (true == index)
        return float((correct @ own) / own.sum())

    def macro(weights: Floats) -> float:
        return float(np.mean([recall(index, weights) for index in range(len(labels))]))

    def with_interval(
        statistic: Callable[[Floats], float], *, resamples: int = resamples
    ) -> Estimate:
        rng = np.random.default_rng(SEED)
        return estimate(statistic, groups=groups, classes=truth, rng=rng, resamples=resamples)

    return ClassReport(
        labels=tuple(labels),
        accuracy=with_interval(lambda weights: float((correct @ weights) / weights.sum())),
        macro_accuracy=with_interval(macro),
        # Each resample sorts every class anew, which takes a while: fewer of them do.
        mean_average_precision=with_interval(mean_average_precision, resamples=min(resamples, 200)),
        recalls=tuple(with_interval(partial(recall, index)) for index in range(len(labels))),
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
