"""What a training run leaves in `run.json`: what was run, and one row per epoch."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from earlet.manifest import canonical_json
from earlet_train.atomic import write_beside

RUN_FILE = "run.json"


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One row of the history. `epoch` counts from 1; rates in 0..1; losses in nats.

    `dev_accuracy`: macro accuracy, of recipes with more than two labels; `dev_eer` is then that of
    the positive label against all others.
    """

    epoch: int
    train_loss: float
    dev_loss: float
    dev_eer: float
    learning_rate: float
    seconds: float
    dev_accuracy: float | None = None

    @property
    def dev_error(self) -> float:
        """What epochs are compared by: the EER, of many labels the macro error rate."""
        return self.dev_eer if self.dev_accuracy is None else 1 - self.dev_accuracy

    @property
    def told(self) -> str:
        """How good the epoch is, in words."""
        if self.dev_accuracy is None:
            return f"dev EER {100 * self.dev_eer:5.2f} %"
        return f"dev accuracy {100 * self.dev_accuracy:5.2f} %"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What `run.json` says. `stopped`: why there is no further epoch, empty while there is.

    `clips`: how many recordings of each split it was limited to, None = all. `labels_held`: how
    many of each label the train split has; `labels_dealt`: how many of each an epoch deals, which
    differs where the recipe balances them. `processes`: how many trained together. `weights`: the
    file it began from, with its hash; empty: fresh weights. `left_out`: recordings that could not
    be used, and why. `quantization_aware`: trained with the rounding of int8.
    """

    recipe: str
    recipe_version: str
    recipe_sha256: str
    seed: int
    corpus: str
    corpus_sha256: str
    train_trials: int
    dev_trials: int
    parameters: int
    epochs_planned: int
    device: str
    threads: int
    versions: dict[str, str]
    clips: int | None = None
    balance: str = "none"
    labels_held: dict[str, int] = field(default_factory=dict)
    labels_dealt: dict[str, int] = field(default_factory=dict)
    processes: int = 1
    weights: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    quantization_aware: bool = False
    history: tuple[Epoch, ...] = ()
    stopped: str = ""

    @property
    def best(self) -> Epoch | None:
        """The epoch with the lowest dev error, among equals the one with the lowest dev loss."""
        return min(self.history, key=lambda e: (e.dev_error, e.dev_loss), default=None)

    @property
    def judged_by(self) -> str:
        """Which figure decides: the EER, or with more than two labels the macro accuracy."""
        return "accuracy" if len(self.labels_held) > 2 else "EER"

    def cannot_continue(self, other: "Run") -> str:
        """Why a run described by `other` is no continuation of this one; empty where it is.

        (Batch norm and dropout see another part of a batch with another number of processes.)
        """
        names = (
            "recipe_sha256",
            "seed",
            "clips",
            "corpus_sha256",
            "epochs_planned",
            "processes",
            "weights",
            "quantization_aware",
        )
        for name in names:
            if getattr(self, name) != getattr(other, name):
                return name.removesuffix("_sha256").replace("_", " ")
        return ""


def write_run(out: Path, run: Run) -> None:
    """run.json, whole or not at all; with the best epoch spelt out for readers."""
    best = None if run.best is None else dataclasses.asdict(run.best)
    text = canonical_json(dataclasses.asdict(run) | {"best": best})
    write_beside(out / RUN_FILE, lambda file: file.write_text(text, encoding="utf-8"))
