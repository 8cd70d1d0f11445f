"""Cllr: what scores cost that are taken at their word as log-likelihood ratios, in bits.

0 for perfect scores, 1 for a detector that always says "as likely as not"; above 1 the scores do
harm. min Cllr is what is left when the best monotonic map has repaired the calibration, so that
Cllr - min Cllr is what calibration alone loses. (Bruemmer and du Preez, Computer Speech and
Language 20 (2006), eqs. 11 and 18.)
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def cllr(scores: Floats, is_positive: Bools, weights: Floats | None = None) -> float:
    """Scores [N], natural log-likelihood ratios of the positive class -> bits, 0 and more.

    Both classes count the same, however many trials each has. `weights` [N]: how often a trial
    counts.
    """
    each = np.ones(len(scores)) if weights is None else weights
    # log(1 + e^x) without overflow; an infinite score on the right side costs nothing.
    cost = np.where(is_positive, np.logaddexp(0.0, -scores), np.logaddexp(0.0, scores))
    positive, negative = each * is_positive, each * ~is_positive
    mean = (cost @ positive) / positive.sum() + (cost @ negative) / negative.sum()
    return float(mean / (2 * np.log(2.0)))


def min_cllr(scores: Floats, is_positive: Bools) -> float:
    """Scores [N] on any scale -> Cllr after the best monotonic map (pool adjacent violators)."""
    return cllr(best_ratios(scores, is_positive), is_positive)


def best_ratios(scores: Floats, is_positive: Bools) -> Floats:
    """Scores [N] -> the log-likelihood ratios [N] of the best non-decreasing map, ends infinite.

    Isotonic regression of the labels on the scores: with both classes weighing the same, the
    posterior's log-odds are the ratio.
    """
    from sklearn.isotonic import IsotonicRegression

    weights = np.where(is_positive, 1 / is_positive.sum(), 1 / (~is_positive).sum())
    posterior = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(
        scores, is_positive.astype(np.float64), sample_weight=weights
    )
    with np.errstate(divide="ignore"):
        ratios: Floats = np.log(posterior) - np.log1p(-posterior)
    return ratios
