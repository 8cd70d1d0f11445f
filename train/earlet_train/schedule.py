"""The learning rate at a point of the run: a function of the recipe, the place and the history.

Nothing is remembered between calls, so a run that was cut off goes on with the rate it would have
had.
"""

import math
from collections.abc import Sequence

from earlet_train.training import Training


def learning_rate(
    training: Training, *, epoch: float, steps: int = 1, dev_losses: Sequence[float] = ()
) -> float:
    """At `epoch` since the run's start (2.5 = half-way through the third), `steps` in each.

    `dev_losses`: of the epochs done so far, which only `plateau` looks at.
    """
    rate, minimum = training.learning_rate, training.minimum_learning_rate
    if training.schedule == "noam":
        return noam(round(epoch * steps) + 1, training)
    if epoch < training.warmup_epochs:
        return rate * (epoch + 1e-3) / (training.warmup_epochs + 1e-3)
    if training.schedule == "constant":
        return rate
    if training.schedule == "step":
        return max(minimum, rate * training.step_factor ** int(epoch // training.step_epochs))
    if training.schedule == "plateau":
        return max(minimum, rate * training.plateau_factor ** plateaus(dev_losses, training))
    done, left = epoch - training.warmup_epochs, training.epochs - training.warmup_epochs
    if training.schedule == "cosine-restarts":
        done, left = place_in_round(done, training)
    share = done / left if left > 0 else 1.0
    return minimum + (rate - minimum) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def noam(step: int, training: Training) -> float:
    """Vaswani et al., 2017 (arXiv 1706.03762), equation 3; `step` counts from 1."""
    return float(
        training.noam_width**-0.5 * min(step**-0.5, step * float(training.noam_steps) ** -1.5)
    )


def plateaus(dev_losses: Sequence[float], training: Training) -> int:
    """How often the dev loss stopped falling for more than `plateau_epochs` in a row."""
    best, waited, found = math.inf, 0, 0
    for loss in dev_losses:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited > training.plateau_epochs:
            found, waited = found + 1, 0
    return found


def place_in_round(done: float, training: Training) -> tuple[float, float]:
    """Epochs since the warm-up -> (epochs into the present round, that round's length).

    Loshchilov and Hutter, 2017 (arXiv 1608.03983): rounds of T0, T0 m, T0 m^2 ... epochs.
    """
    length = training.restart_epochs
    while done >= length:
        done -= length
        length *= training.restart_growth
    return done, length
