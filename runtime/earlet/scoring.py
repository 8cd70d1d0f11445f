"""Scores whole recordings with anything that turns windows into logits.

A torch network, an ONNX session and a golden replay are all judged by this one function, under one
window policy, so that their error rates differ by nothing but the logits.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from earlet.bad_recordings import Bad, Need, hear
from earlet.errors import AudioError, CorpusError
from earlet.manifest import WindowPolicy
from earlet.protocol import Trial
from earlet.scores import Floats, log_odds
from earlet.windows import Waveform, cut, fit, pool

Logits = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def score_trials(
    trials: Sequence[Trial],
    logits: Logits,
    *,
    policy: WindowPolicy,
    sample_rate_hz: int,
    positive_index: int,
    batch_windows: int = 16,
    on_progress: Callable[[int], None] | None = None,
) -> Floats:
    """Trials [R] -> raw log-odds of the positive label [R], as `score_waveforms` does.

    Recordings are read as they are needed. Raises CorpusError naming the one that is missing, of
    another rate, or too short for the policy.
    """

    def read() -> Iterator[Waveform]:
        for trial in trials:
            waveform = read_trial(trial, sample_rate_hz=sample_rate_hz)
            try:
                fit(waveform, policy)
            except AudioError as error:
                raise CorpusError(f"{trial.path}: {error}") from None
            yield waveform

    return score_waveforms(
        read(),
        logits,
        policy=policy,
        positive_index=positive_index,
        batch_windows=batch_windows,
        on_progress=on_progress,
    )


def score_waveforms(
    waveforms: Iterable[Waveform],
    logits: Logits,
    *,
    policy: WindowPolicy,
    positive_index: int,
    batch_windows: int = 16,
    on_progress: Callable[[int], None] | None = None,
) -> Floats:
    """Recordings, each [T] -> raw log-odds of the positive label [R], pooled over windows.

    `logits` maps windows [B, window_samples] to [B, K], for any B up to `batch_windows`; windows
    of different recordings share a batch. `on_progress` hears the number of recordings scored so
    far. Raises AudioError where a recording breaks the policy.
    """
    owners: list[int] = []
    raw: list[Floats] = []
    waiting: list[NDArray[np.float32]] = []

    def run(count: int) -> None:
        windows = np.stack(waiting[:count])
        del waiting[:count]
        raw.append(log_odds(logits(windows), positive_index=positive_index))

    recordings = 0
    for waveform in waveforms:
        # Where only the first window counts, the others need no scoring.
        first_only = policy.pooling == "first"
        windows = fit(waveform, policy)[None] if first_only else cut(waveform, policy)
        waiting.extend(windows)
        owners.extend([recordings] * len(windows))
        recordings += 1
        while len(waiting) >= batch_windows:
            run(batch_windows)
        if on_progress is not None:
            on_progress(recordings)
    if waiting:
        run(len(waiting))
    if not raw:
        return np.zeros(0)
    flat, borders = np.concatenate(raw), np.searchsorted(owners, np.arange(1, recordings))
    return np.array([pool(part, policy) for part in np.split(flat, borders)])


def read_trial(trial: Trial, *, sample_rate_hz: int) -> Waveform:
    """The recording of one trial, [T] in [-1, 1], sound as a whole. Raises CorpusError."""
    heard = hear(trial, Need(sample_rate_hz=sample_rate_hz))
    if isinstance(heard, Bad):
        raise CorpusError(
            f"{heard}. The protocol lists it as {trial.file}: repair it, or build or copy the "
            "corpus again."
        )
    return heard
