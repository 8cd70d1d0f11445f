"""Says whether two detectors put recordings in the same order, whatever their scales are.

A threshold may be chosen anew and a scale calibrated away; an order that changed cannot be mended
afterwards. So ranks say what stays of a detector that answers otherwise, where decisions at one
threshold depend on how many recordings happen to lie near it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Pairs looked at together: bounds the memory of long lists.
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """How alike two lists of scores order the same recordings.

    `spearman`: correlation of the ranks, 1 = the same order; None where a list is all one value.
    `ordered_alike`: of the pairs that the first list orders, the share that the second orders the
    same way, in 0..1 (a pair that it ties counts half); None where the first orders none.
    """

    spearman: float | None
    ordered_alike: float | None


def rank_agreement(first: ArrayLike, second: ArrayLike) -> Ranks:
    """Scores [N] and scores [N] of the same recordings -> Ranks. Raises ValueError.

    Equal to `scipy.stats.spearmanr`, and to (1 + gamma) / 2 of Goodman and Kruskal where there are
    no ties.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"expected two lists of one length, found shapes {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("scores that are not finite have no order")
    return Ranks(spearman=_spearman(a, b), ordered_alike=_ordered_alike(a, b))


def ranks_of(values: Floats) -> Floats:
    """Values [N] -> their ranks [N] from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean = last - (counts - 1) / 2
    ranks: Floats = mean[inverse]
    return ranks


def _spearman(a: Floats, b: Floats) -> float | None:
    if not len(a):
        return None
    x, y = ranks_of(a), ranks_of(b)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum() / scale) if scale > 0 else None


def _ordered_alike(a: Floats, b: Floats) -> float | None:
    alike, ordered = 0.0, 0
    for start in range(0, len(a), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        first = np.sign(a[rows, None] - a).astype(np.int8)
        product = first * np.sign(b[rows, None] - b).astype(np.int8)
        count = int((first != 0).sum())
        ordered += count
        # +1 alike, -1 turned round, 0 tied by the second: each pair is seen twice, once a side.
        alike += (int(product.sum(dtype=np.int64)) + count) / 2
    return alike / ordered if ordered else None
