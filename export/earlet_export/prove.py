"""Compares each graph with the PyTorch original: the rungs of the ladder torch, fp32, int8.

Three questions per rung: how far do the logits move, does any decision change, does the error
rate rise. A value that is not finite is a failure of its own, whatever was promised.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from earlet.agreement import Ranks, rank_agreement
from earlet.errors import ParityError
from earlet.metrics import EqualErrorRate, equal_error_rate_with_interval
from earlet_export.answers import Answer, Answers, Questions, Scale
from earlet_export.difference import Difference as Difference  # also for whoever asks here
from earlet_export.difference import Gap as Gap
from earlet_export.difference import difference as difference
from earlet_export.material import ProofTrial

Floats = NDArray[np.float64]

# Golden signals that get a row of their own.
EXTREMES = ("silence", "square at full scale")


class Promises(Protocol):
    """What a recipe promises about its exported graphs (`earlet_train.recipe.Promises`)."""

    @property
    def fp32_max_abs_logit(self) -> float:
        """On every proof signal."""
        ...

    @property
    def features_min_sqnr_db(self) -> float:
        """Of what the model hears in any graph, whose frontend is float, to what it heard."""
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
class AtLevel:
    """Real windows scaled to one peak: how far the logits move and how many decisions change."""

    peak_dbfs: float
    logits: Difference
    flips: int
    windows: int


@dataclass(frozen=True, kw_only=True)
class Under:
    """The same of whole recordings under some condition (`earlet_export.answers`)."""

    condition: str
    logits: Difference
    flips: int
    recordings: int


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What two graphs make of the same whole recordings.

    `widest_flip`: the farthest from the threshold (in score) that the original stood where a
    decision changed: small means that only undecided recordings changed. `ranks`: whether they
    put the recordings in one order. `relabelled`: recordings whose likeliest label is another one;
    None where there are but two labels.
    """

    flips: int
    decisions: int
    widest_flip: float
    ranks: Ranks
    eer: EqualErrorRate
    relabelled: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One graph against the original. `flips` of `decisions`, `ranks`, `eer`: see `Decided`."""

    precision: str
    golden: Difference
    real: Difference
    levels: tuple[AtLevel, ...]
    conditions: tuple[Under, ...]
    batch_of_three_max_abs: float
    flips: int
    decisions: int
    widest_flip: float
    ranks: Ranks
    eer: EqualErrorRate
    relabelled: int | None = None

    @property
    def max_abs_logit(self) -> float:
        """The largest over everything that was asked."""
        return max(
            self.golden.max_abs,
            self.real.max_abs,
            *(at.logits.max_abs for at in self.levels),
            *(under.logits.max_abs for under in self.conditions),
        )

    @property
    def flip_rate(self) -> float:
        """In 0..1."""
        return self.flips / self.decisions


def rungs_data(rungs: Mapping[str, Rung]) -> dict[str, Any]:
    """For JSON: the rungs as plain dicts, with what is computed from each beside it."""
    return {
        precision: dataclasses.asdict(rung)
        | {"max_abs_logit": rung.max_abs_logit, "flip_rate": rung.flip_rate}
        for precision, rung in rungs.items()
    }


def compare(
    precision: str, answers: Answers, original: Answers, *, asked: Questions, scale: Scale
) -> Rung:
    """Answers of one graph and of the original -> Rung. Raises ParityError where not finite."""
    check_finite(f"the {precision} graph", answers, asked)
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
    decided = decide(answers.trials, original.trials, trials=asked.trials, scale=scale)
    return Rung(
        precision=precision,
        golden=difference(original.golden, answers.golden),
        real=difference(np.concatenate(original.trials), np.concatenate(answers.trials)),
        levels=tuple(levels),
        conditions=_under_conditions(answers, original, asked=asked, scale=scale),
        batch_of_three_max_abs=difference(answers.alone, answers.batched).max_abs,
        flips=decided.flips,
        decisions=decided.decisions,
        widest_flip=decided.widest_flip,
        ranks=decided.ranks,
        eer=decided.eer,
        relabelled=decided.relabelled,
    )


def decide(
    answers: Sequence[Answer],
    original: Sequence[Answer],
    *,
    trials: Sequence[ProofTrial],
    scale: Scale,
) -> Decided:
    """Logits [S, K] of each recording, by a graph and by the original -> Decided."""
    theirs, ours = scale.trial_scores(original), scale.trial_scores(answers)
    flipped = _flips(theirs, ours, scale.threshold)
    margins = np.abs(theirs - scale.threshold)[flipped]
    relabelled = None
    if original[0].shape[1] > 2:
        relabelled = int((scale.trial_labels(original) != scale.trial_labels(answers)).sum())
    return Decided(
        flips=int(flipped.sum()),
        decisions=len(flipped),
        widest_flip=float(margins.max()) if len(margins) else 0.0,
        ranks=rank_agreement(theirs, ours),
        eer=error_rate(answers, trials=trials, scale=scale),
        relabelled=relabelled,
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
            f"{rung.precision} changes {rung.flips} of {rung.decisions} dev decisions "
            f"({rung.flip_rate:.2%}); promised: at most {promises.int8_max_flip_rate:.2%}"
        )
    # 0.42 - 0.41 is more than 0.01 in binary.
    increase = round(rung.eer.eer - original_eer, 9)
    if increase > promises.int8_max_eer_increase:
        broken.append(
            f"{rung.precision} raises the dev EER from {original_eer:.2%} to {rung.eer.eer:.2%}; "
            f"promised: by at most {promises.int8_max_eer_increase:.2%}"
        )
    return tuple(broken)


def check_finite(who: str, answers: Answers, asked: Questions) -> None:
    """Raise ParityError naming the first question to which `who` answered NaN or infinity."""
    for name, logits in zip(asked.golden, answers.golden, strict=True):
        refuse_not_finite(logits, f"{who} on the golden signal {name!r}")
    for heard, windows in zip(asked.trials, answers.trials, strict=True):
        refuse_not_finite(windows, f"{who} on {heard.trial.file}")
    for level, windows in answers.levels.items():
        refuse_not_finite(windows, f"{who} on real sound at {level:g} dBFS")
    for condition, recordings in answers.conditions.items():
        for windows in recordings:
            refuse_not_finite(windows, f"{who} on real sound ({condition})")
    refuse_not_finite(answers.batched, f"{who} on a batch of three")


def refuse_not_finite(values: NDArray[np.floating[Any]], where: str, what: str = "logits") -> None:
    """Raise ParityError: `where` gives `what` that are NaN or infinite."""
    bad = values[~np.isfinite(values)]
    if len(bad):
        raise ParityError(
            f"{where} gives {what} that are not finite ({len(bad)} of {values.size}, the first "
            f"{bad[0]}). Look for a logarithm, root or division without a floor in the frontend, "
            "or weights that diverged in training."
        )


def error_rate(
    answers: Sequence[Answer], *, trials: Sequence[ProofTrial], scale: Scale
) -> EqualErrorRate:
    """EER on whole recordings, with its interval over voices and machines."""
    return equal_error_rate_with_interval(
        scale.trial_scores(answers),
        np.array([heard.trial.key == scale.positive for heard in trials]),
        groups=[heard.group for heard in trials],
        rng=np.random.default_rng(0),
    )


def _under_conditions(
    answers: Answers, original: Answers, *, asked: Questions, scale: Scale
) -> tuple[Under, ...]:
    """The conditions that were asked, after the golden signals that are one by themselves."""
    names = list(asked.golden)
    groups: dict[str, tuple[Sequence[Answer], Sequence[Answer]]] = {}
    for name in EXTREMES:
        if name in names:
            i = names.index(name)
            groups[name] = ([original.golden[i : i + 1]], [answers.golden[i : i + 1]])
    for name, recordings in original.conditions.items():
        groups[name] = (recordings, answers.conditions[name])
    return tuple(
        Under(
            condition=name,
            logits=difference(np.concatenate(theirs), np.concatenate(ours)),
            flips=int(
                _flips(scale.trial_scores(theirs), scale.trial_scores(ours), scale.threshold).sum()
            ),
            recordings=len(theirs),
        )
        for name, (theirs, ours) in groups.items()
    )


def _flips(theirs: Floats, ours: Floats, threshold: float) -> NDArray[np.bool_]:
    flipped: NDArray[np.bool_] = (theirs >= threshold) != (ours >= threshold)
    return flipped
