"""Puts the same questions to the original and to each graph: what every rung is compared on.

Golden signals (synthetic, nasty), recordings of the dev split whole, and some of their windows
again at levels from -40 to 0 dBFS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.manifest import Calibration, WindowPolicy
from earlet.scores import calibrate, log_odds
from earlet.windows import pool
from earlet_export.material import ProofTrial

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Run = Callable[[Array], Array]

LEVELS_DBFS = (-40.0, -30.0, -20.0, -10.0, 0.0)
CLIPS_PER_LEVEL = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """`golden`: name -> window [T]; `levels`: peak in dBFS -> windows [N, T]."""

    golden: Mapping[str, Array]
    trials: Sequence[ProofTrial]
    levels: Mapping[float, Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Logits. `golden` [S, K]; `trials`: [windows, K] of each; `levels`: [N, K] of each level.

    `batched` [3, K]: three golden signals in one batch; `alone` [3, K]: the same one at a time.
    """

    golden: Array
    trials: tuple[Array, ...]
    levels: Mapping[float, Array]
    batched: Array
    alone: Array


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How logits become a decision: see `earlet.scores`. `positive`: that label's name."""

    positive: str
    positive_index: int
    calibration: Calibration
    threshold: float
    window: WindowPolicy

    def window_scores(self, logits: Array) -> Floats:
        """Logits [N, K] -> calibrated scores [N]."""
        return calibrate(log_odds(logits, positive_index=self.positive_index), self.calibration)

    def trial_scores(self, trials: Sequence[Array]) -> Floats:
        """Each trial's window logits [S, K] -> one score per trial."""
        return np.array([pool(self.window_scores(logits), self.window) for logits in trials])


def questions(golden: Mapping[str, Array], trials: Sequence[ProofTrial]) -> Questions:
    """The golden signals, the trials, and evenly spaced ones of the trials at five levels."""
    step = max(1, len(trials) // CLIPS_PER_LEVEL)
    some = [trial.windows[0] for trial in trials[::step][:CLIPS_PER_LEVEL]]
    levels = {
        level: np.stack([_at_peak(window, level) for window in some]) for level in LEVELS_DBFS
    }
    return Questions(golden=golden, trials=trials, levels=levels)


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
        batched=run(three),
        alone=_alone(run, three),
    )


def _alone(run: Run, windows: Array) -> Array:
    return np.concatenate([run(windows[i : i + 1]) for i in range(len(windows))])


def _at_peak(window: Array, dbfs: float) -> Array:
    peak = float(np.abs(window).max())
    return window if peak == 0 else (window * np.float32(10 ** (dbfs / 20) / peak))
