"""What two detectors make of the same recordings: scores, decisions, order, error rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.agreement import Ranks, rank_agreement
from earlet.labelled import LabelledSet
from earlet.protocol import Trial
from earlet_bench.evaluation.curve import Ranking
from earlet_bench.evaluation.intervals import RESAMPLES, SEED, Estimate, estimates, groups_of
from earlet_bench.evaluation.listen import class_scores, spoof_scores
from earlet_bench.evaluation.subject import Subject
from earlet_bench.progress import Progress

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Between two lists of numbers. `sqnr_db`: of the first to their difference, None if equal."""

    max_abs: float
    mean_abs: float
    sqnr_db: float | None


@dataclass(frozen=True, kw_only=True)
class OnRecordings:
    """On labelled recordings. `flips`: decisions that differ, each at its own threshold.

    EERs in 0..1 by the ASVspoof definition; `eer_difference` = B - A, its interval from the same
    resamples of both, so that what both find hard cancels. `relabelled`: recordings whose likeliest
    label is another one; None where there are but two labels, or other ones.
    """

    data: str
    split: str
    listed: int
    recordings: int
    left_out: int
    scores: Apart
    flips: int
    ranks: Ranks
    a_eer: Estimate
    b_eer: Estimate
    eer_difference: Estimate
    relabelled: int | None = None


def on_recordings(
    one: Subject, two: Subject, labelled: LabelledSet, *, sign: float, tell: Progress
) -> OnRecordings:
    """Both subjects hear every recording. `sign`: -1 turns B's scores round first."""
    trials = labelled.trials
    tell.stage(f"recordings of {labelled.name}", 2 * len(trials))
    ours = spoof_scores(one, trials, on_trial=tell.step)
    theirs = sign * spoof_scores(two, trials, on_trial=tell.step)
    a, b, between = _error_rates(ours, theirs, trials, positive=one.positive)
    return OnRecordings(
        data=labelled.name,
        split=labelled.split,
        listed=labelled.listed,
        recordings=len(trials),
        left_out=len(labelled.left_out),
        scores=apart(ours, theirs),
        flips=flips(one, two, ours, theirs, sign=sign),
        ranks=rank_agreement(ours, theirs),
        a_eer=a,
        b_eer=b,
        eer_difference=between,
        relabelled=_relabelled(one, two, trials, tell=tell),
    )


def _relabelled(
    one: Subject, two: Subject, trials: Sequence[Trial], *, tell: Progress
) -> int | None:
    if len(one.labels) < 3 or set(one.labels) != set(two.labels):
        return None
    tell.stage("likeliest labels", 2 * len(trials))
    ours, theirs = (
        [
            subject.labels[int(k)]
            for k in class_scores(subject, trials, on_trial=tell.step).argmax(axis=1)
        ]
        for subject in (one, two)
    )
    return sum(first != second for first, second in zip(ours, theirs, strict=True))


def _error_rates(
    ours: Floats, theirs: Floats, trials: Sequence[Trial], *, positive: str
) -> list[Estimate]:
    """Scores [N] of A and B -> EER of A, of B, and B - A, each with its interval."""
    negative = np.array([trial.key != positive for trial in trials])
    # The curve has the challenges' sign: higher = the negative label (bona fide).
    rankings = [Ranking(-scores, negative) for scores in (ours, theirs)]

    def rates(weights: Floats) -> list[float]:
        a, b = (ranking.curve(weights).eer for ranking in rankings)
        return [a, b, b - a]

    return estimates(
        rates,
        groups=groups_of(trials),
        classes=["negative" if other else "positive" for other in negative],
        rng=np.random.default_rng(SEED),
        resamples=RESAMPLES,
    )


def flips(one: Subject, two: Subject, ours: Floats, theirs: Floats, *, sign: float) -> int:
    """How many decisions differ, each side's at its own threshold on A's scale."""
    return int(((ours >= one.threshold) != (theirs >= sign * two.threshold)).sum())


def apart(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> Apart:
    """Two lists of numbers -> Apart."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    error, signal = float(np.square(a - b).sum()), float(np.square(a).sum())
    return Apart(
        max_abs=float(np.abs(a - b).max()),
        mean_abs=float(np.abs(a - b).mean()),
        sqnr_db=float(10 * np.log10(signal / error)) if error > 0 and signal > 0 else None,
    )
