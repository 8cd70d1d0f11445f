"""Listens to one sound as it goes on: what the detector says of it, and the events in that."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from earlet.detector import Detector
from earlet.events import Event, Events
from earlet.sound_in import Samples, Source
from earlet.verdict import Verdict
from earlet.waveform import Channel, Seen, as_piece, level_dbfs

# So long may a device take to wake up, or a call be on hold, before it is worth a word.
ONLY_ZEROS_S = 3.0


@dataclass(frozen=True, kw_only=True)
class Said:
    """One thing to say: a verdict, an event, or that nothing but zeros arrives."""

    verdict: Verdict | None = None
    smoothed: float | None = None
    event: Event | None = None
    zeros_s: float | None = None


@dataclass(kw_only=True)
class Ear:
    """What was heard so far of one sound."""

    detector: Detector
    events: Events
    channel: Channel
    level_db: float = -math.inf
    verdicts: int = 0
    silent: int = 0
    ended: list[Event] = field(default_factory=list)
    scores: tuple[float, float] | None = None
    zeros_s: float = 0.0

    def __post_init__(self) -> None:
        self.stream = self.detector.stream()

    def hear(self, piece: Samples, source: Source) -> list[Said]:
        """The next piece -> what is to be said of it."""
        said = self._follow(self.stream.accept(piece, source.sample_rate_hz, channel=self.channel))
        mono, _ = as_piece(piece, channel=self.channel, before=Seen())
        self.level_db = level_dbfs(mono) if len(mono) else -math.inf
        before_s = self.zeros_s
        self.zeros_s = 0.0 if np.any(mono) else before_s + len(mono) / source.sample_rate_hz
        if before_s < ONLY_ZEROS_S <= self.zeros_s:
            said.append(Said(zeros_s=self.zeros_s))
        return said

    def stream_end(self) -> list[Said]:
        """The sound is over: the verdicts still owed."""
        return self._follow(self.stream.finish())

    def events_end(self) -> list[Said]:
        """Nothing more will be heard: an open event ends."""
        return [self._told(event) for event in self.events.finish()]

    def _follow(self, verdicts: list[Verdict]) -> list[Said]:
        said: list[Said] = []
        for verdict in verdicts:
            self.verdicts += 1
            if verdict.score is None:
                self.silent += 1
            else:
                low, high = self.scores or (verdict.score, verdict.score)
                self.scores = min(low, verdict.score), max(high, verdict.score)
            told = self.events.accept([verdict])
            said.append(Said(verdict=verdict, smoothed=self.events.smoothed))
            said += [self._told(event) for event in told]
        return said

    def _told(self, event: Event) -> Said:
        if event.end_s is not None:
            self.ended.append(event)
        return Said(event=event)


@dataclass(frozen=True, kw_only=True)
class _Said:
    """One thing to say: a verdict, an event, or that nothing but zeros arrives."""

    verdict: Verdict | None = None
    smoothed: float | None = None
    event: Event | None = None
    zeros_s: float | None = None


def summary(ear: Ear, source: Source) -> dict[str, Any]:
    """All of it in numbers, for JSON."""
    manifest = ear.detector.manifest
    return {
        "source": source.name,
        "original_sample_rate_hz": source.sample_rate_hz,
        "heard_s": ear.stream.heard_s,
        "verdicts": ear.verdicts,
        "no_signal": ear.silent,
        "events": len(ear.ended),
        "events_s": sum((e.end_s or 0.0) - e.start_s for e in ear.ended),
        "lowest_score": None if ear.scores is None else ear.scores[0],
        "highest_score": None if ear.scores is None else ear.scores[1],
        "model": manifest.name,
        "sha256": ear.detector.sha256,
        "tuned": manifest.events is not None,
    }


def in_words(ear: Ear, source: Source) -> str:
    """All of it in one line."""
    facts = summary(ear, source)
    words = (
        f"heard {facts['heard_s']:.1f} s of {source.name} at {source.sample_rate_hz} Hz: "
        f"{ear.verdicts} verdicts, {ear.silent} of them without a signal"
    )
    if ear.scores is not None:
        words += f", scores {ear.scores[0]:+.2f} to {ear.scores[1]:+.2f}"
    label = ear.detector.manifest.positive
    if not ear.ended:
        return f"{words}; no event of {label}"
    return f"{words}; {facts['events']} event(s) of {label}, {facts['events_s']:.1f} s in all"
