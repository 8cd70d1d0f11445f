"""Compares each graph with the PyTorch original: the rungs of the ladder torch, fp32, int8.

Three questions per rung: how far do the logits move, does any decision change, does the error
rate rise. A value that is not finite is a failure of its own, whatever was promised.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from earlet.errors import ParityError
from earlet.metrics import EqualErrorRate, equal_error_rate_with_interval
from earlet_export.answers import Answers, Questions, Scale

Floats = NDArray[np.float64]


class Promises(Protocol):
    """What a recipe promises about its exported graphs (`earlet_train.recipe.Promises`)."""

    @property
    def fp32_max_abs_logit(self) -> float:
        """On every proof signal."""
        ...

    @property
    def int8_max_flip_rate(self) -> float:
        """Share of dev decisions that may change, in 0..1."""
        ...

    @property
    def int8_max_eer_increase(self) -> float:
        """In 0..1."""
        ...


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Between two sets of values. `sqnr_db`: 20 log10 of signal to error, None where equal."""

    max_abs: float
    mean_abs: float
    sqnr_db: float | None


@dataclass(frozen=True, kw_only=True)
class AtLevel:
    """Real windows scaled to one peak: how far the logits move and how many decisions change."""

    peak_dbfs: float
    logits: Difference
    flips: int
    windows: int


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One graph against the original. `flips` of `decisions`: whole dev recordings.

    `widest_flip`: the farthest from the threshold (in score) that the original stood where a
    decision changed: small means that only undecided recordings changed.
    """

    precision: str
    golden: Difference
    real: Difference
    levels: tuple[AtLevel, ...]
    batch_of_three_max_abs: float
    flips: int
    decisions: int
    widest_flip: float
    eer: EqualErrorRate

    @property
    def max_abs_logit(self) -> float:
        """The largest over everything that was asked."""
        return max(
            self.golden.max_abs, self.real.max_abs, *(at.logits.max_abs for at in self.levels)
        )

    @property
    def flip_rate(self) -> float:
        """In 0..1."""
        return self.flips / self.decisions


def compare(
    precision: str, answers: Answers, original: Answers, *, asked: Questions, scale: Scale
) -> Rung:
    """Answers of one graph and of the original -> Rung. Raises ParityError where not finite."""
    check_finite(f"the {precision} graph", answers, asked)
    theirs, ours = scale.trial_scores(original.trials), scale.trial_scores(answers.trials)
    flipped = _flips(theirs, ours, scale.threshold)
    margins = np.abs(theirs - scale.threshold)[flipped]
    levels = []
    for peak_dbfs, logits in original.levels.items():
        moved = answers.levels[peak_dbfs]
        changed = _flips(scale.window_scores(logits), scale.window_scores(moved), scale.threshold)
        levels.append(
            AtLevel(
                peak_dbfs=peak_dbfs,
                logits=difference(logits, moved),
                flips=int(changed.sum()),
                windows=len(logits),
            )
        )
    return Rung(
        precision=precision,
        golden=difference(original.golden, answers.golden),
        real=difference(np.concatenate(original.trials), np.concatenate(answers.trials)),
        levels=tuple(levels),
        batch_of_three_max_abs=difference(answers.alone, answers.batched).max_abs,
        flips=int(flipped.sum()),
        decisions=len(flipped),
        widest_flip=float(margins.max()) if len(margins) else 0.0,
        eer=error_rate(answers, asked=asked, scale=scale),
    )


def broken_promises(rung: Rung, *, original_eer: float, promises: Promises) -> tuple[str, ...]:
    """What this rung breaks, each with its numbers; empty where it keeps all."""
    broken = []
    if rung.precision == "fp32":
        if rung.max_abs_logit > promises.fp32_max_abs_logit:
            broken.append(
                f"fp32 moves a logit by {rung.max_abs_logit:.3g}; "
                f"promised: at most {promises.fp32_max_abs_logit:.3g}"
            )
        if rung.batch_of_three_max_abs > promises.fp32_max_abs_logit:
            broken.append(
                f"fp32 answers a batch of three {rung.batch_of_three_max_abs:.3g} apart from the "
                f"same windows one by one; promised: at most {promises.fp32_max_abs_logit:.3g}"
            )
        return tuple(broken)
    if rung.flip_rate > promises.int8_max_flip_rate:
        broken.append(
            f"int8 changes {rung.flips} of {rung.decisions} dev decisions "
            f"({rung.flip_rate:.2%}); promised: at most {promises.int8_max_flip_rate:.2%}"
        )
    increase = rung.eer.eer - original_eer
    if increase > promises.int8_max_eer_increase:
        broken.append(
            f"int8 raises the dev EER from {original_eer:.2%} to {rung.eer.eer:.2%}; promised: "
            f"by at most {promises.int8_max_eer_increase:.2%}"
        )
    return tuple(broken)


def check_finite(who: str, answers: Answers, asked: Questions) -> None:
    """Raise ParityError naming the first question to which `who` answered NaN or infinity."""
    for name, logits in zip(asked.golden, answers.golden, strict=True):
        _refuse_nan(logits, f"{who} on the golden signal {name!r}")
    for heard, windows in zip(asked.trials, answers.trials, strict=True):
        _refuse_nan(windows, f"{who} on {heard.trial.file}")
    for level, windows in answers.levels.items():
        _refuse_nan(windows, f"{who} on real sound at {level:g} dBFS")
    _refuse_nan(answers.batched, f"{who} on a batch of three")


def error_rate(answers: Answers, *, asked: Questions, scale: Scale) -> EqualErrorRate:
    """EER on the dev recordings, with its interval over voices and machines."""
    return equal_error_rate_with_interval(
        scale.trial_scores(answers.trials),
        np.array([heard.trial.key == scale.positive for heard in asked.trials]),
        groups=[heard.group for heard in asked.trials],
        rng=np.random.default_rng(0),
    )


def difference(exact: NDArray[np.float32], moved: NDArray[np.float32]) -> Difference:
    """Two arrays of one shape -> how far apart."""
    a, b = exact.astype(np.float64), moved.astype(np.float64)
    error = float(np.square(a - b).sum())
    signal = float(np.square(a).sum())
    return Difference(
        max_abs=float(np.abs(a - b).max()),
        mean_abs=float(np.abs(a - b).mean()),
        sqnr_db=10 * math.log10(signal / error) if error > 0 and signal > 0 else None,
    )


def _flips(theirs: Floats, ours: Floats, threshold: float) -> NDArray[np.bool_]:
    flipped: NDArray[np.bool_] = (theirs >= threshold) != (ours >= threshold)
    return flipped


def _refuse_nan(logits: NDArray[np.float32], where: str) -> None:
    if not np.isfinite(logits).all():
        raise ParityError(
            f"{where} gives logits that are not finite ({logits.ravel()[:4]}). Look for a "
            "logarithm, root or division without a floor in the frontend, or weights that diverged "
            "in training."
        )
