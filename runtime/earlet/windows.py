"""Cuts a recording of any length into the windows that a detector looks at, and pools their scores.

The same functions serve training, export and the runtime, so what a model was trained on is what
it meets afterwards.
"""

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError
from earlet.manifest import WindowPolicy

Waveform = NDArray[np.float32]


def fit(waveform: Waveform, policy: WindowPolicy) -> Waveform:
    """Waveform [T] -> one window [window_samples]: the first one where the waveform is longer.

    Where it is shorter, `policy.short` says how it is filled: `tile` repeats it end to end,
    `stretch` repeats each sample ceil(window / T) times and cuts the end off (the rule of the
    published Spec-ResNet code, which also lowers the pitch), `zero` appends zeros. Raises
    AudioError below `min_samples`, and on any short waveform where the rule is `reject`.
    """
    if waveform.ndim != 1:
        raise AudioError(f"expected one channel [T], found an array of shape {waveform.shape}.")
    samples, window = len(waveform), policy.window_samples
    if samples >= window:
        return np.ascontiguousarray(waveform[:window])
    if samples < policy.min_samples:
        raise AudioError(
            f"found {samples} samples, and at least {policy.min_samples} are needed: "
            "give a longer recording."
        )
    repeats = -(-window // samples)
    if policy.short == "tile":
        return np.tile(waveform, repeats)[:window]
    if policy.short == "stretch":
        return np.repeat(waveform, repeats)[:window]
    if policy.short == "zero":
        return np.concatenate([waveform, np.zeros(window - samples, dtype=waveform.dtype)])
    raise AudioError(
        f"found {samples} samples, and this detector judges nothing shorter than its window of "
        f"{window} samples: give a longer recording."
    )


def starts(samples: int, policy: WindowPolicy) -> list[int]:
    """First sample of each window of a recording of that many samples, in order.

    0, hop, 2 hop, ... as long as the window fits, and a last one flush with the end where those
    leave a rest uncovered. A recording no longer than the window has one, at 0.
    """
    last = samples - policy.window_samples
    if last <= 0:
        return [0]
    regular = list(range(0, last + 1, policy.hop_samples))
    return regular if regular[-1] == last else [*regular, last]


def cut(waveform: Waveform, policy: WindowPolicy) -> Waveform:
    """Waveform [T] -> its windows [S, window_samples], at `starts`. Raises what `fit` raises."""
    return np.stack([fit(waveform[start:], policy) for start in starts(len(waveform), policy)])


def pool(scores: NDArray[np.float64], policy: WindowPolicy) -> float:
    """Scores of a recording's windows [S] -> its one score, by `policy.pooling`."""
    if policy.pooling == "mean":
        return float(np.mean(scores))
    if policy.pooling == "max":
        return float(np.max(scores))
    return float(scores[0])
