"""Lets a detector hear a whole split, after looking at every file's header for what cannot work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet.manifest import WindowPolicy
from earlet.protocol import Trial
from earlet.scores import calibrate
from earlet.scoring import read_trial, score_trials
from earlet.windows import cut, fit
from earlet_bench.evaluation.subject import Subject

Floats = NDArray[np.float64]

_SHOWN = 3
# Whole numbers cannot be NaN.
_MAY_HOLD_NAN = ("FLOAT", "DOUBLE")


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A recording that cannot be judged, and why."""

    path: Path
    why: str


def bad_recordings(trials: Sequence[Trial], subject: Subject, *, decode: bool = False) -> list[Bad]:
    """Files that are missing, empty, no audio, of another rate, not mono, too short, or with NaN.

    Reads headers alone (and samples where they may be NaN), so that a large corpus is looked
    through in seconds; a file that is damaged further on is found when it is heard, or with
    `decode` already now.
    """
    found = []
    for trial in trials:
        why = _why_not(trial.path, subject, decode=decode)
        if why is not None:
            found.append(Bad(path=trial.path, why=why))
    return found


def refuse(bad: Sequence[Bad], *, of: int) -> None:
    """Raises CorpusError where there is any, counting them and naming the first few."""
    if bad:
        named = "; ".join(f"{one.path}: {one.why}" for one in bad[:_SHOWN])
        more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise CorpusError(
            f"{len(bad)} of {of} recordings cannot be judged: {named}{more}. Repair the corpus, or "
            "leave them out of the evaluation with --skip-bad."
        )


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


def _why_not(path: Path, subject: Subject, *, decode: bool) -> str | None:
    import soundfile

    if not path.is_file():
        return "is missing"
    try:
        about = soundfile.info(str(path))
    except (OSError, RuntimeError):
        return "is empty" if path.stat().st_size == 0 else "is damaged or no audio"
    if about.samplerate != subject.sample_rate_hz:
        return f"has {about.samplerate} Hz, expected {subject.sample_rate_hz} Hz"
    if about.channels != 1:
        return f"has {about.channels} channels, expected one"
    policy = subject.window
    least = policy.window_samples if policy.short == "reject" else policy.min_samples
    if about.frames < least:
        return f"has {about.frames} samples, expected at least {least}"
    if decode or about.subtype in _MAY_HOLD_NAN:
        try:
            samples, _ = soundfile.read(path, dtype="float32")
        except (OSError, RuntimeError):
            return "is damaged"
        if len(samples) != about.frames:
            return f"ends after {len(samples)} of {about.frames} samples"
        if not np.isfinite(samples).all():
            return f"holds {int((~np.isfinite(samples)).sum())} samples that are not finite"
    return None
