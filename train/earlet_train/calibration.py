"""Turns raw log-odds into scores that mean what they say, fitted on the dev split."""

import numpy as np
from numpy.typing import NDArray

from earlet.manifest import Calibration, OperatingPoint
from earlet.metrics import equal_error_rate
from earlet.scores import calibrate

Floats = NDArray[np.float64]


def fit_calibration(raw: Floats, is_positive: NDArray[np.bool_]) -> Calibration:
    """Raw log-odds [N], labels [N] -> the affine map whose logistic fits them best.

    Platt's method (1999) with his softened targets, which keep the scale finite where the classes
    do not overlap. Both classes weigh the same, so score 0 means: as likely as not, were both
    equally frequent. Newton's method on a convex function of two numbers. Scores that rank the
    classes the wrong way round keep scale 1: a map must not turn a detector upside down.
    """
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    target = np.where(is_positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    weight = np.where(is_positive, 0.5 / positives, 0.5 / negatives)
    # Solved in units of the scores' own spread, where a start at slope 1 converges.
    centre, spread = float(raw.mean()), float(raw.std()) or 1.0
    design = np.stack([(raw - centre) / spread, np.ones_like(raw)], axis=1)
    answer = np.array([1.0, 0.0])
    for _ in range(100):
        chance = 1 / (1 + np.exp(-np.clip(design @ answer, -500, 500)))
        slope = design.T @ (weight * (chance - target))
        curve = (design * (weight * chance * (1 - chance))[:, None]).T @ design
        step = np.linalg.solve(curve + 1e-9 * np.eye(2), slope)
        answer = answer - step * min(1.0, 2.0 / float(np.abs(step).max() + 1e-12))
        if float(np.abs(step).max()) < 1e-10:
            break
    scale, offset = answer[0] / spread, answer[1] - answer[0] * centre / spread
    if not scale > 0:
        return Calibration()
    return Calibration(scale=float(scale), offset=float(offset))


def operating_point(
    raw: Floats, is_positive: NDArray[np.bool_], calibration: Calibration, *, data: str
) -> tuple[float, OperatingPoint]:
    """Threshold on the calibrated scale at the equal error rate, and what it gives on this data."""
    scores = calibrate(raw, calibration)
    threshold = equal_error_rate(scores, is_positive).threshold
    return threshold, OperatingPoint(
        name="equal error rate",
        data=data,
        miss_rate=float(np.mean(scores[is_positive] < threshold)),
        false_alarm_rate=float(np.mean(scores[~is_positive] >= threshold)),
    )
