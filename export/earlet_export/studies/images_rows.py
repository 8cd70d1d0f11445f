"""One row of the study of pictures, and what eval says of each of its trainings, decided twice."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from earlet.metrics import equal_error_rate
from earlet_bench.evaluation.binary import BinaryReport
from earlet_export.studies.grid import Answer
from earlet_export.studies.measures import dev_labels, of_variant, spoof_report
from earlet_export.studies.study import percent
from earlet_export.studies.variant import Variant

Picture = Literal["spectrogram", "waveform"]
Remedy = Literal["none", "multiply", "undersample"]
Decision = Literal["own", "chosen"]

# Spoofed recordings for each genuine one, as in the train split of ASVspoof 2019 LA.
NINE = 9
REMEDIES: dict[Remedy, str] = {
    "none": "nothing done",
    "multiply": "multiply",
    "undersample": "undersample",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is drawn, who looks at it, and what was done about nine spoofed for each genuine one."""

    network: str
    picture: Picture
    remedy: Remedy
    variant: Variant


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one threshold gives, in 0..1. `human`: genuine recordings taken for human.

    `spoof`: spoofed ones taken for spoof; `total`: all that are right, with as many of each as eval
    has; `by_attack`: the right ones of each attack.
    """

    human: float
    spoof: float
    total: float
    by_attack: dict[str, float]

    @property
    def balanced(self) -> float:
        """Accuracy with as many genuine recordings as spoofed ones."""
        return (self.human + self.spoof) / 2

    @property
    def at_nine(self) -> float:
        """Accuracy with nine spoofed recordings for each genuine one."""
        return (self.human + NINE * self.spoof) / (1 + NINE)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One training: `own`, where the network decides by itself; `chosen`, at dev's threshold.

    `known`, `unknown`: EER on attacks of the train split and on others, NaN where that has none.
    """

    row: Row
    seed: int
    dev_eer: float
    eer: float
    known: float
    unknown: float
    own: Outcome
    chosen: Outcome


def look(row: Row, answers: Sequence[Answer]) -> list[Seen]:
    """All trainings of a row that are there, in the order of their seeds."""
    return [_seen(row, answer) for answer in of_variant(answers, row.variant)]


def share(seen: Sequence[Seen], which: Decision, name: str) -> str:
    """One of an outcome's shares over the seeds, in percent."""
    return percent([float(getattr(outcome_of(s, which), name)) for s in seen])


def outcome_of(seen: Seen, which: Decision) -> Outcome:
    """What one of the two decisions gave."""
    return seen.own if which == "own" else seen.chosen


def _seen(row: Row, answer: Answer) -> Seen:
    """The own decision is the likelier label: the larger of two softmax outputs, raw score 0."""
    report = spoof_report(answer)
    at_even_odds = dataclasses.replace(answer.done, threshold=answer.done.even_odds)
    is_spoof = dev_labels(answer.variant.corpus)
    pool = partial(_pool, report)
    return Seen(
        row=row,
        seed=answer.done.seed,
        dev_eer=equal_error_rate(answer.dev, is_spoof).eer,
        eer=report.pooled.eer.value,
        known=pool("known"),
        unknown=pool("unknown"),
        own=_outcome(spoof_report(dataclasses.replace(answer, done=at_even_odds))),
        chosen=_outcome(report),
    )


def _pool(report: BinaryReport, name: str) -> float:
    return report.pools[name].eer.value if name in report.pools else math.nan


def _outcome(report: BinaryReport) -> Outcome:
    counts = np.array(report.decisions.confusion)
    human, spoof = np.diag(counts) / counts.sum(axis=1)
    return Outcome(
        human=float(human),
        spoof=float(spoof),
        total=float(np.trace(counts) / counts.sum()),
        by_attack={str(c.attack): c.detected for c in report.attacks},
    )
