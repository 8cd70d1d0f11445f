"""Judges a policy on long recordings: how soon it finds what is sought, how often it is wrong.

An event counts where it becomes known (`known_s`), for that is when somebody is told:

- within a sought stretch, or at most one window after it: found. Its latency is how much of the
  stretch had gone by, with what a streaming graph lags behind. Further events of the same stretch
  are repeats;
- anywhere else: a false alarm. One that began too soon and still stands when the stretch begins is
  no find, unless it ends and another follows.

False alarms are counted per hour of what is neither sought nor within a window after it. An alarm
that never ends is one alarm at most; so how long alarms stand in those hours is measured as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from earlet.events import Event, EventPoint, EventPolicy, Events
from earlet.segments import Segment
from earlet_bench.evaluation.intervals import RESAMPLES, SEED, Estimate, estimates
from earlet_bench.tuning.hear import Track

Floats = NDArray[np.float64]

# Stands for "never" where numbers are sorted and interpolated; no latency comes near.
_NEVER_S, _TOO_LATE_S = 1e12, 1e6


@dataclass(frozen=True, kw_only=True)
class Target:
    """One sought stretch. `latency_s`: None where it was missed."""

    system: str
    duration_s: float
    latency_s: float | None

    @property
    def unnoticed(self) -> float:
        """Share of the stretch that had gone by when it was known, 1 where it never was."""
        return 1.0 if self.latency_s is None else min(1.0, self.latency_s / self.duration_s)


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An event as somebody is told of it: from when it is known to when its end is."""

    known_s: float
    until_s: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One recording under one policy. `free_h`: hours in which an event is a false alarm.

    `standing_h`: hours of those in which an alarm stood.
    """

    name: str
    speaker: str
    free_h: float
    standing_h: float
    false_alarms: int
    repeats: int
    targets: tuple[Target, ...]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """All recordings under one policy. Latencies are None where misses leave no number.

    `unnoticed`: mean share of a sought stretch that goes by before it is known. `standing`: share
    of the free hours in which an alarm stands.
    """

    recordings: int
    speakers: int
    hours: float
    free_h: float
    false_alarms: int
    repeats: int
    targets: int
    misses: int
    false_alarms_per_hour: Estimate
    median_latency_s: Estimate | None
    p90_latency_s: Estimate | None
    unnoticed: Estimate
    standing: Estimate

    def point(self, data: str) -> EventPoint:
        """What the manifest says of it."""
        median, p90 = self.median_latency_s, self.p90_latency_s
        return EventPoint(
            data=data,
            hours=round(self.hours, 3),
            false_alarms_per_hour=round(self.false_alarms_per_hour.value, 3),
            targets=self.targets,
            misses=self.misses,
            median_latency_s=None if median is None else round(median.value, 3),
            p90_latency_s=None if p90 is None else round(p90.value, 3),
        )


def outcomes(policy: EventPolicy, tracks: Sequence[Track], *, positive: str) -> list[Outcome]:
    """The policy on every recording."""
    return [outcome(alarms(policy, track), track, positive=positive) for track in tracks]


def alarms(policy: EventPolicy, track: Track) -> list[Alarm]:
    """The events of a recording, as they were told."""
    events = Events(policy, label="")
    told: list[Event] = []
    for start_s, end_s, score in track.verdicts:
        told += events.step(start_s, end_s, score)
    return as_alarms([*told, *events.finish()])


def as_alarms(told: Sequence[Event]) -> list[Alarm]:
    """All that was told of whole sounds, each event twice -> what stood from when to when."""
    return [
        Alarm(known_s=begin.known_s, until_s=end.known_s)
        for begin, end in zip(told[::2], told[1::2], strict=True)
    ]


def outcome(events: Sequence[Alarm], track: Track, *, positive: str) -> Outcome:
    """Alarms of a recording -> what of it was found, and what else was seen."""
    parts, placed = covered(track, positive=positive), places(events, track, positive=positive)
    first_of = {place: alarm for alarm, place in reversed(list(zip(events, placed, strict=True)))}
    targets = []
    for place, (stretch, _) in enumerate(parts):
        found = first_of.get(place)
        targets.append(
            Target(
                system=stretch.system,
                duration_s=stretch.end_s - stretch.start_s,
                latency_s=None if found is None else found.known_s + track.lag_s - stretch.start_s,
            )
        )
    covered_s = sum(last_s - stretch.start_s for stretch, last_s in parts)
    standing_s = sum(
        e.until_s
        - e.known_s
        - sum(_shared_s((e.known_s, e.until_s), (s.start_s, last_s)) for s, last_s in parts)
        for e in events
    )
    false_alarms = placed.count(None)
    return Outcome(
        name=track.recording.name,
        speaker=track.recording.speaker,
        free_h=max(0.0, track.duration_s - covered_s) / 3600,
        standing_h=max(0.0, standing_s) / 3600,
        false_alarms=false_alarms,
        repeats=len(events) - false_alarms - len(set(placed) - {None}),
        targets=tuple(targets),
    )


def covered(track: Track, *, positive: str) -> list[tuple[Segment, float]]:
    """The sought stretches, each with the moment until which an event still finds it.

    That is a window after its end, unless the next begins or the sound is over before.
    """
    grace_s = max(end_s - start_s for start_s, end_s, _ in track.verdicts)
    sought = track.recording.sought(positive)
    until_s = [min(a.end_s + grace_s, b.start_s) for a, b in pairwise(sought)]
    until_s += [min(s.end_s + grace_s, max(track.duration_s, s.end_s)) for s in sought[-1:]]
    return list(zip(sought, until_s, strict=True))


def places(events: Sequence[Alarm], track: Track, *, positive: str) -> list[int | None]:
    """Of each alarm which of `covered` it tells of; None where it is false.

    The first of a stretch found it, the others repeat it.
    """
    parts = list(enumerate(covered(track, positive=positive)))
    return [
        next((k for k, (s, last_s) in parts if s.start_s < one.known_s <= last_s), None)
        for one in events
    ]


def figures(
    found: Sequence[Outcome], *, hours: float, resamples: int = RESAMPLES, seed: int = SEED
) -> Figures:
    """Outcomes of all recordings -> the figures with 95 % intervals.

    Whole speakers are resampled, among recordings with something sought and those without. Few
    alarms of few speakers would still give intervals too narrow (none: [0, 0]), so that of the
    false alarms is widened to the Poisson interval of their count. `resamples` 0: no intervals.
    """
    free_h = np.array([one.free_h for one in found])
    standing_h = np.array([one.standing_h for one in found])
    alarmed = np.array([one.false_alarms for one in found])
    targets = [(index, target) for index, one in enumerate(found) for target in one.targets]
    owner = np.array([index for index, _ in targets], dtype=int)
    latency_s = np.array([_NEVER_S if t.latency_s is None else t.latency_s for _, t in targets])
    unnoticed = np.array([t.unnoticed for _, t in targets])

    def statistics(weights: Floats) -> list[float]:
        each = weights[owner]
        return [
            float(weights @ alarmed / max(weights @ free_h, 1e-9)),
            quantile(latency_s, each, 0.5),
            quantile(latency_s, each, 0.9),
            float(each @ unnoticed / max(each.sum(), 1e-9)),
            float(weights @ standing_h / max(weights @ free_h, 1e-9)),
        ]

    rate, median, p90, share, standing = estimates(
        statistics,
        groups=[one.speaker for one in found],
        classes=["sought" if one.targets else "free" for one in found],
        rng=np.random.default_rng(seed),
        resamples=resamples,
    )
    return Figures(
        recordings=len(found),
        speakers=len({one.speaker for one in found}),
        hours=hours,
        free_h=float(free_h.sum()),
        false_alarms=int(alarmed.sum()),
        repeats=sum(one.repeats for one in found),
        targets=len(targets),
        misses=sum(t.latency_s is None for _, t in targets),
        false_alarms_per_hour=_widened(rate, int(alarmed.sum()), float(free_h.sum())),
        median_latency_s=_latency(median),
        p90_latency_s=_latency(p90),
        unnoticed=share,
        standing=standing,
    )


def quantile(values: Floats, weights: Floats, share: float) -> float:
    """Values [N] -> the least of them with at least that share of the weight up to it."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    if len(values) == 0 or reached[-1] <= 0:
        return _NEVER_S
    return float(values[order][np.searchsorted(reached, share * reached[-1] - 1e-9)])


def poisson_interval(count: int) -> tuple[float, float]:
    """95 % interval of the mean of a Poisson count: where the count would be in either 2.5 %."""

    def at_most(mean: float, most: int) -> float:
        return math.fsum(
            math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1)
        )

    def solve(share: float, most: int) -> float:
        low, high = 1e-9, 10.0 + 4 * count
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if at_most(middle, most) > share else (low, middle)
        return low

    return (0.0 if count == 0 else solve(0.975, count - 1)), solve(0.025, count)


def _shared_s(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def _widened(rate: Estimate, count: int, free_h: float) -> Estimate:
    if rate.low is None or rate.high is None or free_h == 0:
        return rate
    low, high = poisson_interval(count)
    return Estimate(
        value=rate.value, low=min(rate.low, low / free_h), high=max(rate.high, high / free_h)
    )


def _latency(found: Estimate) -> Estimate | None:
    """None where it is never; an end of the interval that is never is infinite."""
    if found.value > _TOO_LATE_S:
        return None

    def told(end: float | None) -> float | None:
        return math.inf if end is not None and end > _TOO_LATE_S else end

    return Estimate(value=found.value, low=told(found.low), high=told(found.high))
