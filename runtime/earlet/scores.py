"""From logits to a score: the log-odds of the one label that a detector is built to find."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.manifest import Calibration, Manifest

Floats = NDArray[np.float64]


def scores(logits: NDArray[np.float32], manifest: Manifest) -> Floats:
    """Logits [B, K] -> calibrated scores [B] of the manifest's positive label."""
    raw = log_odds(logits, positive_index=manifest.positive_index)
    return calibrate(raw, manifest.calibration)


def score_of(logits: NDArray[np.float32], manifest: Manifest) -> float:
    """Logits [K] of one window -> its score, with the bits that `scores` gives it in any company.

    A stream asks for one at a time, and then arrays are most of the work.
    """
    if len(logits) != 2:
        return float(scores(logits[None], manifest)[0])
    here, there = logits.tolist() if manifest.positive_index == 0 else logits[::-1].tolist()
    calibration = manifest.calibration
    # The logsumexp of a single number is that number plus log(1), which makes a zero positive.
    score: float = calibration.scale * (here - (there + 0.0)) + calibration.offset
    return score


def log_odds(logits: NDArray[np.floating[Any]], *, positive_index: int) -> Floats:
    """Logits [B, K] -> log(p / (1 - p)) of one class under the softmax [B], any real number.

    That is logit[positive] - logsumexp(the others): exact where the softmax itself would round
    to 0 or 1. With two classes it is the difference of the logits.
    """
    wide = np.asarray(logits, dtype=np.float64)
    others = np.delete(wide, positive_index, axis=1)
    top = others.max(axis=1)
    rest = top + np.log(np.exp(others - top[:, None]).sum(axis=1))
    odds: Floats = wide[:, positive_index] - rest
    return odds


def calibrate(raw: Floats, calibration: Calibration) -> Floats:
    """Raw log-odds -> scores on the scale of the threshold."""
    return calibration.scale * raw + calibration.offset


def probability(score: float) -> float:
    """Score -> logistic(score) in 0..1, without overflow at either end."""
    small = float(np.exp(-abs(score)))
    return 1.0 / (1.0 + small) if score >= 0 else small / (1.0 + small)
