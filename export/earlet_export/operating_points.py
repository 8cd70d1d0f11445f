"""Where else a detector's threshold could stand, and what it would cost there, with intervals.

One threshold suits one use. Who screens calls wants few false alarms, who triages evidence wants
nothing missed: the card gives both their numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earlet_bench.evaluation.intervals import Estimate, estimates
from earlet_export.markdown import table
from earlet_export.report_pictures import Bools, Floats, Scores

RESAMPLES = 500
_SEED = 20
# Rates that cards of detectors are usually asked for.
FALSE_ALARMS, MISSES = (0.01, 0.05), (0.05,)


@dataclass(frozen=True, kw_only=True)
class Point:
    """A threshold on the calibrated score; rates in 0..1 with 95 % intervals over voices."""

    name: str
    threshold: float
    miss: Estimate
    false_alarm: Estimate


def operating_points(scores: Scores, *, rung: str) -> tuple[Point, ...]:
    """The shipped threshold first, then those for round rates, as `rung` scores the recordings.

    A rate that so few recordings cannot show (1 % of 50) is left out.
    """
    found, positive = scores.by_rung[rung], scores.is_positive
    negatives, positives = int((~positive).sum()), int(positive.sum())
    wanted = [("as shipped", scores.threshold)]
    wanted += [
        (f"{100 * rate:g} % false alarms", _above(found[~positive], rate))
        for rate in FALSE_ALARMS
        if rate * negatives >= 1
    ]
    wanted += [
        (f"{100 * rate:g} % missed", _below(found[positive], rate))
        for rate in MISSES
        if rate * positives >= 1
    ]
    return tuple(
        _point(name, threshold, found, positive, groups=scores.groups) for name, threshold in wanted
    )


def points_table(points: Sequence[Point], *, positive: str) -> str:
    """Markdown."""
    return table(
        ("operating point", "threshold", f"`{positive}` missed", "others reported"),
        [
            (point.name, f"{point.threshold:+.3f}", _words(point.miss), _words(point.false_alarm))
            for point in points
        ],
    )


def _point(
    name: str, threshold: float, found: Floats, positive: Bools, *, groups: Sequence[str]
) -> Point:
    above = found >= threshold

    def rates(weights: Floats) -> list[float]:
        """Weights of the recordings [R] -> miss rate and false alarm rate."""
        hit, chosen = weights[positive], weights[~positive]
        return [
            float((hit * ~above[positive]).sum() / hit.sum()),
            float((chosen * above[~positive]).sum() / chosen.sum()),
        ]

    miss, false_alarm = estimates(
        rates,
        groups=groups or [str(i) for i in range(len(found))],
        classes=["positive" if one else "negative" for one in positive],
        rng=np.random.default_rng(_SEED),
        resamples=RESAMPLES,
    )
    return Point(name=name, threshold=threshold, miss=miss, false_alarm=false_alarm)


def _above(negatives: Floats, rate: float) -> float:
    """The lowest threshold at which no larger share than `rate` of the negatives is reported."""
    ranked = np.sort(negatives)[::-1]
    allowed = int(rate * len(ranked))
    # Halfway to the first one that must not be reported; equal scores are all on one side.
    return _between(ranked, allowed)


def _below(positives: Floats, rate: float) -> float:
    """The highest threshold at which no larger share than `rate` of the positives is missed."""
    ranked = np.sort(positives)
    return -_between(-ranked, int(rate * len(ranked)))


def _between(falling: Floats, allowed: int) -> float:
    """Scores from the highest down -> a threshold that at most `allowed` of them reach."""
    last = float(falling[min(allowed, len(falling) - 1)])
    higher = falling[falling > last]
    return (last + float(higher.min())) / 2 if len(higher) else float(np.nextafter(last, np.inf))


def _words(rate: Estimate) -> str:
    interval = (
        ""
        if rate.low is None or rate.high is None
        else f" ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
    )
    return f"{100 * rate.value:.1f} %{interval}"
