"""Tries every policy of a grid on labelled long recordings, and picks one.

Of those that raise no more false alarms per hour than is allowed, the one that lets the least of
the sought sound go by and stands the least in the rest, in shares of each; a repeated alarm counts
like two hundredths of its stretch (one that stutters is soon switched off). Of equals, that with
fewer false alarms, and then the one that does least. An alarm that never stands, or always, has
shares that add up to one: what is no better is not chosen.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from earlet.events import Event, EventPolicy, Events
from earlet_bench.tuning.hear import Track
from earlet_bench.tuning.judge import Alarm, Figures, as_alarms, figures, outcome

_REPEAT = 0.02

_SHARES = (
    *(0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03),
    *(0.02, 0.015, 0.01, 0.007, 0.005, 0.003, 0.002, 0.001, 0.0005),
)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What is tried; seconds, and scores between the two thresholds.

    `on_shares`: the upper thresholds, as shares of the sound in which nothing is sought whose
    smoothed score lies above: they follow the detector's own scale. The score above all of it is
    tried as well. Cool-down and silence are not searched: the longer the cool-down, the fewer false
    alarms can be counted, whatever is heard.
    """

    smoothing_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
    minimum_s: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0)
    apart: tuple[float, ...] = (0.0, 1.0, 2.0)
    on_shares: tuple[float, ...] = _SHARES
    cool_down_s: float = 5.0
    silence_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One policy and what it gave."""

    policy: EventPolicy
    figures: Figures


def search(
    tracks: Sequence[Track],
    *,
    positive: str,
    grid: Grid,
    on_stage: Callable[[int], None] = lambda _: None,
    on_policy: Callable[[], None] = lambda: None,
) -> list[Tried]:
    """Every policy of the grid, in its order, without intervals."""
    hours = sum(track.duration_s for track in tracks) / 3600
    smooth = {
        smoothing_s: [smoothed(track, smoothing_s, grid.silence_s) for track in tracks]
        for smoothing_s in grid.smoothing_s
    }
    policies = [p for s, own in smooth.items() for p in _policies(s, own, positive, grid)]
    on_stage(len(policies))
    tried = []
    for policy in policies:
        found = [
            outcome(alarms_after_smoothing(policy, own), own.track, positive=positive)
            for own in smooth[policy.smoothing_s]
        ]
        tried.append(Tried(policy=policy, figures=figures(found, hours=hours, resamples=0)))
        on_policy()
    return tried


def choose(tried: Sequence[Tried], *, most_per_hour: float) -> Tried | None:
    """The best within the budget; None where none is better than never or always."""
    allowed = [
        one
        for one in tried
        if one.figures.false_alarms_per_hour.value <= most_per_hour
        and one.figures.unnoticed.value + one.figures.standing.value < 1
    ]
    return min(allowed, key=_worth, default=None)


def frontier(tried: Sequence[Tried]) -> list[Tried]:
    """Those with a median latency that no other beats in both, by rising false alarms."""
    best: list[Tried] = []
    for one in sorted(tried, key=lambda t: (t.figures.false_alarms_per_hour.value, _median(t))):
        if one.figures.median_latency_s and (not best or _median(one) < _median(best[-1])):
            best.append(one)
    return best


def _worth(one: Tried) -> tuple[float, ...]:
    policy, found = one.policy, one.figures
    return (
        round(
            found.unnoticed.value + found.standing.value + _REPEAT * found.repeats / found.targets,
            9,
        ),
        found.false_alarms_per_hour.value,
        policy.smoothing_s + policy.minimum_s,
        policy.on_threshold - policy.off_threshold,
        policy.on_threshold,
    )


def _median(one: Tried) -> float:
    latency = one.figures.median_latency_s
    return float("inf") if latency is None else latency.value


def _policies(
    smoothing_s: float, tracks: Sequence["Smoothed"], positive: str, grid: Grid
) -> list[EventPolicy]:
    return [
        EventPolicy(
            on_threshold=on,
            off_threshold=round(on - apart, 3),
            smoothing_s=smoothing_s,
            minimum_s=minimum_s,
            cool_down_s=grid.cool_down_s,
            silence_s=grid.silence_s,
        )
        for on in _thresholds(tracks, positive, grid)
        for apart in grid.apart
        for minimum_s in grid.minimum_s
    ]


def _thresholds(tracks: Sequence["Smoothed"], positive: str, grid: Grid) -> list[float]:
    """Upper thresholds for one smoothing, to the thousandth, each once."""
    free = np.concatenate([track.free_scores(positive) for track in tracks])
    if len(free) == 0:
        return []
    shares = np.quantile(free, 1.0 - np.array(grid.on_shares))
    found = [round(float(value), 3) for value in (*shares, free.max() + 0.001)]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, kw_only=True, eq=False)
class Smoothed:
    """A track and its smoothed scores [N]; NaN without a signal."""

    track: Track
    scores: NDArray[np.float64]

    def free_scores(self, positive: str) -> NDArray[np.float64]:
        """Those of windows that hold nothing of what is sought."""
        sought = self.track.recording.sought(positive)
        free = [
            not any(s.start_s < end_s and start_s < s.end_s for s in sought)
            for start_s, end_s, _ in self.track.verdicts
        ]
        scores: NDArray[np.float64] = self.scores[np.array(free) & ~np.isnan(self.scores)]
        return scores


def smoothed(track: Track, smoothing_s: float, silence_s: float) -> Smoothed:
    """What `Events` makes of the scores of a track, whatever the thresholds."""
    endless = EventPolicy(
        on_threshold=math.inf,
        off_threshold=math.inf,
        smoothing_s=smoothing_s,
        silence_s=silence_s,
    )
    follow, scores = Events(endless, label=""), []
    for start_s, end_s, score in track.verdicts:
        follow.step(start_s, end_s, score)
        scores.append(math.nan if score is None or follow.smoothed is None else follow.smoothed)
    return Smoothed(track=track, scores=np.array(scores))


def alarms_after_smoothing(policy: EventPolicy, own: Smoothed) -> list[Alarm]:
    """The same as `judge.alarms`, sooner: smoothed once, and leaping to what reaches a threshold.

    While nothing stands above a threshold, a verdict below the upper one changes nothing.
    """
    events = Events(replace(policy, smoothing_s=0.0), label="")
    above = np.flatnonzero(own.scores >= policy.on_threshold)
    told: list[Event] = []
    at, last = 0, len(own.scores)
    while at < last:
        if events.is_idle:
            next_above = np.searchsorted(above, at)
            if next_above == len(above):
                break
            at = int(above[next_above])
        start_s, end_s, _ = own.track.verdicts[at]
        score = float(own.scores[at])
        told += events.step(start_s, end_s, None if math.isnan(score) else score)
        at += 1
    return as_alarms([*told, *events.finish()])
