"""Makes one detector of several, from their scores alone.

`mean` adds raw scores up, without any weight, as Alzantot et al. (Interspeech 2019) published it:
a system whose scores spread wider has more to say. `logistic` weighs and shifts them so that the
sum is a log-likelihood ratio, learned from scores on a dev split and from nothing else.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.errors import UsageError
from earlet_bench.evaluation.curve import check_classes, check_finite

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """fused = sum of weight * score, + offset."""

    weights: tuple[float, ...]
    offset: float

    def __call__(self, scores: Floats) -> Floats:
        """Scores of each system [S, N] -> fused scores [N]."""
        if len(scores) != len(self.weights):
            raise UsageError(
                f"found scores of {len(scores)} systems, expected {len(self.weights)} as in the "
                "dev split."
            )
        fused: Floats = np.array(self.weights) @ scores + self.offset
        return fused


def mean_fusion(systems: int) -> Fusion:
    """The plain mean."""
    return Fusion(weights=(1.0 / systems,) * systems, offset=0.0)


def logistic_fusion(dev: Floats, is_positive: Bools) -> Fusion:
    """Dev scores [S, N], labels [N] -> the fusion whose sum is a log-likelihood ratio.

    Logistic regression with both classes weighing the same. The scores are brought to one scale
    first, so that the slight penalty that keeps separable data finite treats all alike. Raises
    UsageError where a class is missing.
    """
    from sklearn.linear_model import LogisticRegression

    check_classes(~np.asarray(is_positive, dtype=bool))
    check_finite(dev.ravel())
    centre, spread = dev.mean(axis=1), dev.std(axis=1)
    if (spread == 0).any():
        flat = int(np.flatnonzero(spread == 0)[0])
        raise UsageError(
            f"system {flat + 1} gives every dev trial the same score: there is nothing to weigh."
        )
    fit = LogisticRegression(C=100.0, class_weight="balanced", max_iter=1000)
    fit.fit(((dev - centre[:, None]) / spread[:, None]).T, is_positive)
    weights = fit.coef_[0] / spread
    return Fusion(
        weights=tuple(map(float, weights)), offset=float(fit.intercept_[0] - weights @ centre)
    )
