"""The error rates of detection, in numpy alone, so that a board can compute them too."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EqualErrorRate:
    """EER in 0..1, the threshold where it is reached, and a 95 % interval where one was asked."""

    eer: float
    threshold: float
    low: float | None = None
    high: float | None = None


def equal_error_rate(scores: Floats, is_positive: NDArray[np.bool_]) -> EqualErrorRate:
    """Scores [N], labels [N] -> the rate at which misses equal false alarms.

    Higher score = more likely positive. The challenge's definition (ASVspoof 2019 evaluation
    plan): over all thresholds, k* = argmin |miss - false alarm|, EER = their mean there; of equally
    near ones the lowest threshold. Equal scores fall on the same side of any threshold; the
    challenge's own sorting parts them, so where both classes share a score its rate is a little
    higher (`earlet evaluate` gives that one). Raises ValueError where a class is absent or a score
    is not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    is_positive = np.asarray(is_positive, dtype=bool)
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    if positives == 0 or negatives == 0:
        raise ValueError(
            f"an equal error rate needs both classes; found {positives} positive and "
            f"{negatives} negative trials"
        )
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} scores are not finite")
    values, inverse = np.unique(scores, return_inverse=True)
    at_positive = np.bincount(inverse[is_positive], minlength=len(values))
    at_negative = np.bincount(inverse[~is_positive], minlength=len(values))
    # Threshold at values[k]: positives strictly below are missed, negatives at or above are false.
    missed = np.concatenate([[0], np.cumsum(at_positive)])
    false = negatives - np.concatenate([[0], np.cumsum(at_negative)])
    # Compared in whole numbers: in fractions, rounding would decide between equal distances.
    k = int(np.argmin(np.abs(missed * negatives - false * positives)))
    below = values[k - 1] if k > 0 else values[0] - 1.0
    above = values[k] if k < len(values) else values[-1] + 1.0
    return EqualErrorRate(
        eer=float(missed[k] / positives + false[k] / negatives) / 2,
        threshold=float((below + above) / 2),
    )


def equal_error_rate_with_interval(
    scores: Floats,
    is_positive: NDArray[np.bool_],
    *,
    groups: Sequence[str],
    rng: np.random.Generator,
    resamples: int = 500,
) -> EqualErrorRate:
    """The EER and its 95 % interval from resampling whole groups, within each class.

    `groups` [N] names each trial's cluster (bona fide: the speaker; spoof: the attack with its
    speaker): trials of one voice are not independent, and resampling them singly gives intervals
    several times too narrow. A class with one group is resampled by trial.
    """
    scores = np.asarray(scores, dtype=np.float64)
    is_positive = np.asarray(is_positive, dtype=bool)
    point = equal_error_rate(scores, is_positive)
    names = np.asarray(groups)
    clusters = []
    for wanted in (True, False):
        index = np.flatnonzero(is_positive == wanted)
        members = [index[names[index] == name] for name in np.unique(names[index])]
        clusters.append(members if len(members) > 1 else [np.array([i]) for i in index])
    drawn = []
    for _ in range(resamples):
        picked = [
            np.concatenate([c[j] for j in rng.integers(0, len(c), size=len(c))]) for c in clusters
        ]
        chosen = np.concatenate(picked)
        drawn.append(equal_error_rate(scores[chosen], is_positive[chosen]).eer)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return EqualErrorRate(
        eer=point.eer, threshold=point.threshold, low=float(low), high=float(high)
    )
