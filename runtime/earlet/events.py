"""Decisions over time: verdicts of one sound in, events with a beginning and an end out.

A stream gives several verdicts a second, and a score near the threshold crosses it back and forth.
Nobody wants an alarm for each crossing. So, in this order:

1. the score is smoothed: it follows the detector's with a time constant of `smoothing_s`;
2. two thresholds: an event may begin where the smoothed score reaches `on_threshold`, and lasts
   until it falls below `off_threshold`;
3. it must have lasted `minimum_s` of heard sound before it counts;
4. after an event ended, none begins for `cool_down_s`.

A verdict without a signal (`no_signal`) is no evidence either way: the smoothed score stays where
it was, and silent time does not count towards `minimum_s`. After more than `silence_s` of it the
event is over, and the next sound is judged afresh.

An event covers the sound that the deciding verdicts looked at. It ends with the last window whose
smoothed score had not fallen below `off_threshold`. Smoothing is late; so it begins not where the
smoothed score reached `on_threshold` but with the run of scores, each at `off_threshold` or above,
that took it there: with the first window of that run, though no more than two time constants
sooner, and not within the cool-down.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from earlet.errors import UsageError
from earlet.verdict import Verdict

EndedBy = Literal["score", "silence", "end of sound"]

# After two time constants a smoothed score has made 86 % of its way.
_LATE = 2.0


@dataclass(frozen=True, kw_only=True)
class EventPolicy:
    """When verdicts become an event; see the module's docstring. Thresholds are scores.

    `smoothing_s`: time constant of the exponential smoothing; 0 takes each score as it is.
    """

    on_threshold: float
    off_threshold: float
    smoothing_s: float = 0.0
    minimum_s: float = 0.0
    cool_down_s: float = 0.0
    silence_s: float = 5.0

    def __post_init__(self) -> None:
        # The manifest's JSON tells 2 from 2.0.
        for name, value in list(vars(self).items()):
            object.__setattr__(self, name, float(value))
        if not self.off_threshold <= self.on_threshold:
            raise ValueError(
                f"off_threshold ({self.off_threshold}) must not be above on_threshold "
                f"({self.on_threshold}): an event would end as it begins"
            )
        for name in ("smoothing_s", "minimum_s", "cool_down_s", "silence_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class EventPoint:
    """What a policy gives, and on which data (`data`, `hours` of it).

    `false_alarms_per_hour`: events that began outside the sought stretches, per hour outside them.
    Latency: from the start of a stretch to the moment its event was known, in the sound's own time,
    over all `targets`; `misses` of them had none and count as later than any; None where that
    leaves no number.
    """

    data: str
    hours: float
    false_alarms_per_hour: float
    targets: int
    misses: int
    median_latency_s: float | None
    p90_latency_s: float | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """One stretch of sound that was judged `label`, in seconds since the sound began.

    Told twice: when it begins, with `end_s` None, and when it has ended. `number` counts from 1.
    `known_s`: how much of the sound had been heard when this was known. `peak_score`: the highest
    smoothed score so far.
    """

    number: int
    label: str
    start_s: float
    end_s: float | None
    known_s: float
    peak_score: float
    ended_by: EndedBy | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain dict for JSON."""
        return dict(vars(self))


class Events:
    """Follows the verdicts of one sound, in their order; `reset` makes it ready for the next."""

    def __init__(self, policy: EventPolicy, *, label: str) -> None:
        """`label`: what the events are called, the positive label of the detector."""
        self.policy, self.label = policy, label
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next verdict is the first of another sound."""
        self.smoothed: float | None = None
        self._count = 0
        self._heard_until_s: float | None = None
        self._silent_s = 0.0
        self._above_since_s: float | None = None
        self._candidate: _Candidate | None = None
        self._is_open = False
        self._quiet_until_s = -math.inf
        self._finished = False

    @property
    def is_open(self) -> bool:
        """Whether an event has begun and not ended."""
        return self._is_open

    @property
    def is_idle(self) -> bool:
        """Whether nothing stands above a threshold: no event, and none that may become one."""
        return self._candidate is None

    def accept(self, verdicts: Iterable[Verdict]) -> list[Event]:
        """The next verdicts -> what began or ended with them, in order.

        Raises UsageError on verdicts of an earlier time than was heard, and after `finish`.
        """
        told: list[Event] = []
        for verdict in verdicts:
            score = verdict.score if verdict.status == "ok" else None
            told += self.step(verdict.start_s, verdict.end_s, score)
        return told

    def step(self, start_s: float, end_s: float, score: float | None) -> list[Event]:
        """One verdict, as its window and its score; None without a signal. As `accept`."""
        before_s = self._heard_until_s
        if self._finished or (before_s is not None and end_s <= before_s):
            raise self._refused(end_s)
        passed_s = end_s - (start_s if before_s is None else before_s)
        self._heard_until_s = end_s
        if score is None:
            self._silent_s += passed_s
            return self._forget(end_s) if self._silent_s > self.policy.silence_s else []
        self._silent_s = 0.0
        if score < self.policy.off_threshold:
            self._above_since_s = None
        elif self._above_since_s is None:
            self._above_since_s = start_s
        self.smoothed = smoothed = self._smooth(score, passed_s)
        candidate = self._candidate
        if candidate is None:
            if smoothed < self.policy.on_threshold or end_s <= self._quiet_until_s:
                return []
            since_s = start_s if self._above_since_s is None else self._above_since_s
            soonest_s = max(start_s - _LATE * self.policy.smoothing_s, self._quiet_until_s)
            candidate = self._candidate = _Candidate(
                start_s=max(since_s, soonest_s), end_s=end_s, peak=smoothed
            )
        elif smoothed < self.policy.off_threshold:
            return self._end(known_s=end_s, ended_by="score")
        else:
            candidate.end_s = end_s
            candidate.heard_s += passed_s
            candidate.peak = max(candidate.peak, smoothed)
        if self._is_open or candidate.heard_s < self.policy.minimum_s:
            return []
        self._is_open = True
        self._count += 1
        return [self._event(candidate, known_s=end_s)]

    def finish(self) -> list[Event]:
        """The sound is over: an open event ends with what was heard of it."""
        told = self._end(known_s=self._heard_until_s or 0.0, ended_by="end of sound")
        self._finished = True
        return told

    def _smooth(self, score: float, passed_s: float) -> float:
        """The first score after a beginning counts in full: nothing else is known."""
        if self.smoothed is None or self.policy.smoothing_s == 0:
            return score
        return self.smoothed + (score - self.smoothed) * -math.expm1(
            -passed_s / self.policy.smoothing_s
        )

    def _forget(self, known_s: float) -> list[Event]:
        told = self._end(known_s=known_s, ended_by="silence")
        self.smoothed = self._above_since_s = None
        return told

    def _end(self, *, known_s: float, ended_by: EndedBy) -> list[Event]:
        """Drop the candidate; where it had become an event, tell its end."""
        candidate, was_open = self._candidate, self._is_open
        self._candidate, self._is_open = None, False
        if candidate is None or not was_open:
            return []
        self._quiet_until_s = candidate.end_s + self.policy.cool_down_s
        begun = self._event(candidate, known_s=known_s)
        return [replace(begun, end_s=candidate.end_s, ended_by=ended_by)]

    def _event(self, candidate: "_Candidate", *, known_s: float) -> Event:
        return Event(
            number=self._count,
            label=self.label,
            start_s=candidate.start_s,
            end_s=None,
            known_s=known_s,
            peak_score=candidate.peak,
        )

    def _refused(self, end_s: float) -> UsageError:
        if self._finished:
            return UsageError("this sound was finished: call reset() before the next one.")
        return UsageError(
            f"a verdict up to {end_s:.3f} s came after one up to {self._heard_until_s:.3f} s. "
            "Give the verdicts of one sound in their order, and call reset() before the next sound."
        )


@dataclass(kw_only=True, slots=True)
class _Candidate:
    """A stretch above the thresholds that is, or may become, an event."""

    start_s: float
    end_s: float
    peak: float
    heard_s: float = 0.0


def untuned(threshold: float) -> EventPolicy:
    """What is used of a bundle that `earlet tune` has not seen: cautious round numbers.

    One unit of score (e times the odds) between beginning and ending, around the bundle's
    threshold; two seconds of smoothing; a second above.
    """
    return EventPolicy(
        on_threshold=threshold + 0.5,
        off_threshold=threshold - 0.5,
        smoothing_s=2.0,
        minimum_s=1.0,
        cool_down_s=5.0,
    )
