"""The error rates of a detector at every threshold, exactly as the ASVspoof challenges trace them.

Scores here have the challenges' sign: higher = more likely bona fide. earlet's own score has the
other (positive = the label that the detector is built to find); whoever calls negates it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.errors import UsageError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Fewer are decisions, not scores: a curve through two points says nothing about any other one.
LEAST_DISTINCT = 3


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Rates [N + 1] in 0..1, threshold by threshold from the lowest.

    `miss`: bona fide trials rejected; `false_alarm`: spoofed trials accepted. The first point
    rejects nothing; the k-th has rejected the k lowest scores.
    """

    thresholds: Floats
    miss: Floats
    false_alarm: Floats

    @property
    def equal_error(self) -> int:
        """Index of the point where the two rates are nearest, the first of equally near ones."""
        return int(np.argmin(np.abs(self.miss - self.false_alarm)))

    @property
    def eer(self) -> float:
        """The mean of the two rates there, in 0..1."""
        k = self.equal_error
        return float(self.miss[k] + self.false_alarm[k]) / 2

    @property
    def eer_threshold(self) -> float:
        """The score at that point, as the challenges take it for the speaker verifier."""
        return float(self.thresholds[self.equal_error])


class Ranking:
    """Trials in the order of their scores; sorted once, traced for any weights of the trials."""

    def __init__(self, scores: Floats, is_bona_fide: Bools) -> None:
        """Scores [N], labels [N]. Raises UsageError on what has no curve (see `check`)."""
        self._scores = np.asarray(scores, dtype=np.float64)
        bona_fide = np.asarray(is_bona_fide, dtype=bool)
        check_classes(bona_fide)
        check_finite(self._scores)
        # A stable merge sort with the bona fide trials listed first: of equal scores, theirs are
        # rejected first. No threshold parts equal scores; where both classes share one, the
        # challenges' curve passes through a corner that is a little pessimistic, and so does this.
        self._order = np.lexsort((~bona_fide, self._scores))
        self._bona_fide = bona_fide[self._order].astype(np.float64)
        self._spoof = 1.0 - self._bona_fide
        ranked = self._scores[self._order]
        self._thresholds = np.concatenate([ranked[:1] - 0.001, ranked])

    def curve(self, weights: Floats | None = None) -> Curve:
        """Weights [N], how often each trial counts [default: once] -> the curve."""
        bona_fide, spoof = self._bona_fide, self._spoof
        if weights is not None:
            ranked = np.asarray(weights, dtype=np.float64)[self._order]
            bona_fide, spoof = bona_fide * ranked, spoof * ranked
        rejected_bona_fide, rejected_spoof = np.cumsum(bona_fide), np.cumsum(spoof)
        bona_fides, spoofs = rejected_bona_fide[-1], rejected_spoof[-1]
        return Curve(
            thresholds=self._thresholds,
            miss=np.concatenate([[0.0], rejected_bona_fide / bona_fides]),
            false_alarm=np.concatenate([[1.0], (spoofs - rejected_spoof) / spoofs]),
        )


def two_sets(bona_fide: Floats, spoof: Floats) -> Ranking:
    """Scores of the one class and of the other, as the definitions are written."""
    scores = np.concatenate([bona_fide, spoof])
    return Ranking(scores, np.arange(len(scores)) < len(bona_fide))


def check_classes(is_bona_fide: Bools) -> None:
    """Raises UsageError where one class is missing."""
    bona_fide = int(is_bona_fide.sum())
    spoof = len(is_bona_fide) - bona_fide
    if bona_fide == 0 or spoof == 0:
        raise UsageError(
            f"an error rate needs both classes; found {bona_fide} bona fide and {spoof} spoofed "
            "trials. Evaluate a split that holds both."
        )


def check_finite(scores: Floats) -> None:
    """Raises UsageError where a score is NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise UsageError(
            f"{len(bad)} of {len(scores)} scores are not finite; the first is {scores[bad[0]]} of "
            f"trial {bad[0] + 1}. Score these recordings again."
        )


def check_soft(scores: Floats) -> None:
    """Raises UsageError where the scores are decisions: fewer than three different values."""
    distinct = np.unique(scores)
    if len(distinct) < LEAST_DISTINCT:
        raise UsageError(
            f"the {len(scores)} scores have only {len(distinct)} different value(s), expected at "
            f"least {LEAST_DISTINCT}: these are decisions, and error rates over thresholds need "
            "scores. Give the detector's soft output."
        )
