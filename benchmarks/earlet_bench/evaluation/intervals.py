"""95 % intervals by resampling whole groups of trials, class by class.

Trials of one voice are not independent. Resampled singly they give intervals several times too
narrow; so a voice comes with all its trials or not at all (the cluster bootstrap). A resample is a
vector of weights, how often each trial was drawn: nothing has to be sorted again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.protocol import Trial

Floats = NDArray[np.float64]

RESAMPLES = 500
# Fixed, so that equal scores give equal intervals.
SEED = 20
NOBODY = "-"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval; None where none was asked."""

    value: float
    low: float | None = None
    high: float | None = None


def estimate(
    statistic: Callable[[Floats], float],
    *,
    groups: Sequence[str],
    classes: Sequence[str],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A statistic of the trials' weights [N] -> its value and interval (percentiles 2.5, 97.5).

    `groups` [N]: which trials come together; `classes` [N]: the number of groups of each class
    stays what it is.
    """
    (found,) = estimates(
        lambda weights: [statistic(weights)],
        groups=groups,
        classes=classes,
        rng=rng,
        resamples=resamples,
    )
    return found


def estimates(
    statistics: Callable[[Floats], Sequence[float]],
    *,
    groups: Sequence[str],
    classes: Sequence[str],
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> list[Estimate]:
    """Several statistics [S] at once of the same resamples -> their values and intervals [S]."""
    values = statistics(np.ones(len(groups)))
    if resamples == 0:
        return [Estimate(value=value) for value in values]
    drawn = [
        statistics(weights)
        for weights in resampled(groups, classes=classes, rng=rng, resamples=resamples)
    ]
    lows, highs = np.percentile(drawn, [2.5, 97.5], axis=0)
    return [
        Estimate(value=value, low=float(low), high=float(high))
        for value, low, high in zip(values, lows, highs, strict=True)
    ]


def resampled(
    groups: Sequence[str], *, classes: Sequence[str], rng: np.random.Generator, resamples: int
) -> Iterator[Floats]:
    """Weights [N] of each resample: of every class as many groups as it has, with replacement.

    A class of a single group is resampled by trial.
    """
    names, kinds = np.asarray(groups), np.asarray(classes)
    strata: list[tuple[NDArray[np.intp], NDArray[np.intp], int]] = []
    for kind in np.unique(kinds):
        own = np.flatnonzero(kinds == kind)
        found, member = np.unique(names[own], return_inverse=True)
        if len(found) == 1:
            member = np.arange(len(own))
        strata.append((own, member, int(member.max()) + 1))
    for _ in range(resamples):
        weights = np.zeros(len(names))
        for own, member, count in strata:
            drawn = np.bincount(rng.integers(0, count, size=count), minlength=count)
            weights[own] = drawn[member]
        yield weights


def groups_of(trials: Sequence[Trial]) -> list[str]:
    """What is resampled together: the speaker, with the attack where there is one.

    Where the speaker is not told, each trial is its own group.
    """
    return [
        f"{t.system} {t.speaker}" if t.speaker != NOBODY else f"{t.system} {t.file}" for t in trials
    ]
