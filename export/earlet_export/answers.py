"""Puts the same questions to the original and to each graph: what every rung is compared on.

Golden signals (synthetic, nasty), recordings of the dev split whole, some of their windows again at
levels from -40 to 0 dBFS, and some again as a detector meets them on a bad day: cut as short as it
is allowed, to an odd length, several in a row, and clipped.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.manifest import Calibration, WindowPolicy
from earlet.scores import calibrate, log_odds
from earlet.windows import cut, fit, pool
from earlet_export.material import ProofTrial

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
# Logits; of an original asked in float64, float64.
Answer = NDArray[np.floating[Any]]
Run = Callable[[Array], Answer]

LEVELS_DBFS = (-40.0, -30.0, -20.0, -10.0, 0.0)
CLIPS_PER_LEVEL = 12
# As loud as a microphone that is turned up by this, and then cut off at full scale.
TOO_LOUD_DB = 20.0
LONG_WINDOWS = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """`golden`: name -> window [T]; `levels`: peak in dBFS -> windows [N, T].

    `conditions`: name -> the windows [S, T] of each of some recordings.
    """

    golden: Mapping[str, Array]
    trials: Sequence[ProofTrial]
    levels: Mapping[float, Array] = field(default_factory=dict)
    conditions: Mapping[str, tuple[Array, ...]] = field(default_factory=dict)

    def part(self, recordings: int) -> tuple["Questions", list[int]]:
        """The golden signals and that many recordings, even over the labels; and which they are.

        (Recordings come label by label in turn: every second one would all be of one label.)
        """
        labels: dict[str, list[int]] = {}
        for i, heard in enumerate(self.trials):
            labels.setdefault(heard.trial.key, []).append(i)
        each = -(-recordings // len(labels))
        rows = [[own[i] for i in spaced(len(own), each)] for own in labels.values()]
        in_turn = [row[i] for i in range(each) for row in rows if i < len(row)]
        chosen = sorted(in_turn[:recordings])
        return Questions(golden=self.golden, trials=[self.trials[i] for i in chosen]), chosen


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Logits. `golden` [S, K]; `trials`: [windows, K] of each; `levels`: [N, K] of each level.

    `conditions`: of each recording [windows, K]. `batched` [3, K]: three golden signals in one
    batch; `alone` [3, K]: the same one at a time.
    """

    golden: Answer
    trials: tuple[Answer, ...]
    levels: Mapping[float, Answer]
    conditions: Mapping[str, tuple[Answer, ...]]
    batched: Answer
    alone: Answer


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How logits become a decision: see `earlet.scores`. `positive`: that label's name."""

    positive: str
    positive_index: int
    calibration: Calibration
    threshold: float
    window: WindowPolicy

    def window_scores(self, logits: Answer) -> Floats:
        """Logits [N, K] -> calibrated scores [N]."""
        return calibrate(log_odds(logits, positive_index=self.positive_index), self.calibration)

    def trial_scores(self, trials: Sequence[Answer]) -> Floats:
        """Each trial's window logits [S, K] -> one score per trial."""
        return np.array([pool(self.window_scores(logits), self.window) for logits in trials])

    def trial_labels(self, trials: Sequence[Answer]) -> NDArray[np.intp]:
        """Each trial's window logits [S, K] -> the index of its likeliest label, pooled alike."""
        return np.array([int(np.argmax(self._pooled(logits))) for logits in trials])

    def _pooled(self, logits: Answer) -> Floats:
        """Window logits [S, K] -> log-probabilities [K], pooled class by class."""
        wide = logits.astype(np.float64)
        wide -= wide.max(axis=1, keepdims=True)
        wide -= np.log(np.exp(wide).sum(axis=1, keepdims=True))
        return np.array([pool(column, self.window) for column in wide.T])


def questions(
    golden: Mapping[str, Array], trials: Sequence[ProofTrial], *, window: WindowPolicy
) -> Questions:
    """The golden signals, the trials, and evenly spaced ones of the trials under other conditions.

    `window`: the policy that cuts what is shorter or longer than one window.
    """
    some = [trials[i].windows[0] for i in spaced(len(trials), CLIPS_PER_LEVEL)]
    levels = {level: np.stack([_at_peak(clip, level) for clip in some]) for level in LEVELS_DBFS}
    return Questions(
        golden=golden, trials=trials, levels=levels, conditions=_conditions(some, window)
    )


def heard_windows(waveform: Array, policy: WindowPolicy) -> Array:
    """Waveform [T] -> the windows whose scores make its score, [S, window_samples]. AudioError."""
    return fit(waveform, policy)[None] if policy.pooling == "first" else cut(waveform, policy)


def ask(run: Run, asked: Questions, *, on_trial: Callable[[], None] | None = None) -> Answers:
    """`run`: waveforms [B, T] -> logits [B, K]. One window at a time, as the runtime does."""
    trials = []
    for trial in asked.trials:
        trials.append(_alone(run, trial.windows))
        if on_trial is not None:
            on_trial()
    golden = np.stack(list(asked.golden.values()))
    three = golden[-3:]
    return Answers(
        golden=_alone(run, golden),
        trials=tuple(trials),
        levels={level: _alone(run, windows) for level, windows in asked.levels.items()},
        conditions={
            name: tuple(_alone(run, windows) for windows in recordings)
            for name, recordings in asked.conditions.items()
        },
        batched=run(three),
        alone=_alone(run, three),
    )


def spaced(of: int, wanted: int) -> list[int]:
    """At most `wanted` of the numbers 0 .. of - 1, evenly spaced."""
    step = max(1, of // wanted)
    return list(range(0, of, step))[:wanted]


def _conditions(some: Sequence[Array], policy: WindowPolicy) -> dict[str, tuple[Array, ...]]:
    """Real windows [T] -> the same sound, shorter, longer and louder than it should be."""
    T = policy.window_samples
    made: dict[str, tuple[Array, ...]] = {}
    if policy.short != "reject":
        odd = min(T, max(policy.min_samples, 2 * T // 3 | 1))
        for name, samples in (("the shortest allowed", policy.min_samples), ("odd length", odd)):
            made[name] = tuple(heard_windows(clip[:samples], policy) for clip in some)
    rows = [some[i : i + LONG_WINDOWS] for i in range(0, len(some), LONG_WINDOWS)]
    made["long, several windows"] = tuple(
        # An odd rest behind the last whole window, which `cut` must reach too.
        heard_windows(np.concatenate([*row, row[0][: T // 3 | 1]]), policy)
        for row in rows
    )
    gain = np.float32(10 ** (TOO_LOUD_DB / 20))
    made[f"clipped, {TOO_LOUD_DB:g} dB too loud"] = tuple(
        np.clip(clip * gain, -1.0, 1.0)[None] for clip in some
    )
    return made


def _alone(run: Run, windows: Array) -> Answer:
    return np.concatenate([run(windows[i : i + 1]) for i in range(len(windows))])


def _at_peak(window: Array, dbfs: float) -> Array:
    peak = float(np.abs(window).max())
    return window if peak == 0 else (window * np.float32(10 ** (dbfs / 20) / peak))
