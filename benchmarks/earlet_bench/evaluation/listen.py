"""Lets a detector hear a whole split: a score, or one of each class, per recording."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from earlet.manifest import WindowPolicy
from earlet.protocol import Trial
from earlet.scores import calibrate
from earlet.scoring import read_trial, score_trials
from earlet.windows import cut, fit
from earlet_bench.evaluation.subject import Subject

Floats = NDArray[np.float64]


def spoof_scores(
    subject: Subject, trials: Sequence[Trial], *, on_trial: Callable[[], None]
) -> Floats:
    """Trials [N] -> calibrated scores [N] of the subject's positive label."""
    raw = score_trials(
        trials,
        subject.logits,
        policy=subject.window,
        sample_rate_hz=subject.sample_rate_hz,
        positive_index=subject.labels.index(subject.positive),
        on_progress=lambda _: on_trial(),
    )
    return calibrate(raw, subject.calibration)


def class_scores(
    subject: Subject, trials: Sequence[Trial], *, on_trial: Callable[[], None]
) -> Floats:
    """Trials [N] -> log-probabilities of each class [N, K], pooled over a recording's windows.

    Windows are pooled as the subject's policy says, class by class.
    """
    rows = []
    for trial in trials:
        sound = read_trial(trial, sample_rate_hz=subject.sample_rate_hz)
        first = subject.window.pooling == "first"
        windows = fit(sound, subject.window)[None] if first else cut(sound, subject.window)
        logits = np.concatenate([subject.logits(window[None]) for window in windows])
        rows.append(_pooled(_log_softmax(logits), subject.window))
        on_trial()
    return np.stack(rows)


def _log_softmax(logits: NDArray[np.float32]) -> Floats:
    """Logits [S, K] -> log-probabilities [S, K]."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    answer: Floats = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
    return answer


def _pooled(windows: Floats, policy: WindowPolicy) -> Floats:
    """Windows [S, K] -> the recording [K]."""
    if policy.pooling == "max":
        highest: Floats = windows.max(axis=0)
        return highest
    mean: Floats = windows.mean(axis=0)
    return mean
