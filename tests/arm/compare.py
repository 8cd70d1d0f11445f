"""Holds the answers of one machine against those of another, and says what is not as promised.

The rule for int8: the model, given the same features, answers to the last bit the same on every
machine. The frontend computes in float, whose last digits are each machine's own; where they push
a feature over the edge of an integer step, logits may move, and then only for that reason: the
model at home, given the features of the other machine, must answer with the very same bits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from arm.cut import Step
from numpy.typing import NDArray

Floats = NDArray[np.float32]
INT8 = "int8"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One graph on one machine, against this machine. What a graph without a seam lacks is None.

    `logits`: largest |difference| end to end; `model`: of the model alone, fed with the same
    features; `features`: of the features. `moved` of `values` features fall on another integer
    step, `furthest` steps away. `explained`: whether the model at home gives the other machine's
    logits, bit by bit, for its features.
    """

    machine: str
    precision: str
    logits: float
    model: float | None
    features: float | None
    moved: int | None
    values: int | None
    furthest: int | None
    explained: bool | None

    def broken(self) -> list[str]:
        """A sentence for whatever is not as it must be; other precisions may differ by digits."""
        where = f"the {self.precision} graph on {self.machine}"
        if not np.isfinite(self.logits):
            return [f"{where} answers with a number that is not finite"]
        if self.precision != INT8:
            return []
        if self.model is not None and self.model != 0:
            return [
                f"{where}: the model alone, fed with the same features, is {self.model:.2g} away: "
                "it must be 0"
            ]
        if self.logits != 0 and not self.explained:
            return [
                f"{where} is {self.logits:.2g} away end to end, and its features do not explain "
                "that: it must be 0"
            ]
        return []


def compare(
    machine: str,
    precision: str,
    *,
    home: Mapping[str, NDArray[np.generic]],
    there: Mapping[str, NDArray[np.generic]],
    step: Step | None,
    model_at_home: Callable[[Floats], Floats] | None,
) -> Row:
    """Answers as `answers.py` writes them, of two machines -> what differs."""
    features, model, moved, values, furthest, explained = (None,) * 6
    if f"{precision}/features" in home:
        heard = floats(there, f"{precision}/features")
        mine = floats(home, f"{precision}/features")
        features = furthest_apart(heard, mine)
        model = furthest_apart(
            floats(there, f"{precision}/model"), floats(home, f"{precision}/model")
        )
        if step is not None:
            steps = np.abs(step.integers(heard) - step.integers(mine))
            moved, values, furthest = int((steps > 0).sum()), steps.size, int(steps.max())
        if model_at_home is not None:
            again = model_at_home(heard)
            explained = bool(np.array_equal(again, floats(there, f"{precision}/logits")))
    return Row(
        machine=machine,
        precision=precision,
        logits=furthest_apart(
            floats(there, f"{precision}/logits"), floats(home, f"{precision}/logits")
        ),
        model=model,
        features=features,
        moved=moved,
        values=values,
        furthest=furthest,
        explained=explained,
    )


def floats(answers: Mapping[str, NDArray[np.generic]], name: str) -> Floats:
    """One array by name, as it was written."""
    return np.asarray(answers[name], dtype=np.float32)


def furthest_apart(a: Floats, b: Floats) -> float:
    """The largest |difference|; infinite where one has a number that is not finite."""
    away = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return float(np.where(np.isfinite(away), away, np.inf).max())
