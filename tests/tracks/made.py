"""Tracks with verdicts as wished: what a detector said of a recording that need not be there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from earlet.events import EventPolicy
from earlet.segments import LongRecording, Segment
from earlet_bench.tuning.hear import Track

HOP_S, WINDOW_S = 0.5, 2.0
SHARP = EventPolicy(on_threshold=1.0, off_threshold=1.0)


def track(
    scores: Sequence[float | None], *sought: tuple[float, float], speaker: str = "a"
) -> Track:
    """A verdict each hop; `sought` are the stretches of the positive label."""
    duration_s = (len(scores) - 1) * HOP_S + WINDOW_S
    segments = [
        Segment(start_s=a, end_s=b, label="spoof", speaker=speaker, system="A01") for a, b in sought
    ] or [Segment(start_s=0.0, end_s=duration_s, label="bonafide", speaker=speaker)]
    return Track(
        recording=LongRecording(
            name=f"{speaker}.wav", path=Path(f"{speaker}.wav"), segments=tuple(segments)
        ),
        duration_s=duration_s,
        verdicts=tuple((k * HOP_S, k * HOP_S + WINDOW_S, s) for k, s in enumerate(scores)),
    )


def noisy(seed: int, *sought: tuple[float, float], speaker: str = "a") -> Track:
    """Ten minutes: scores of unit noise around -1, and +1 within the sought stretches."""
    rng = np.random.default_rng(seed)
    end_s = np.arange(1200) * HOP_S + WINDOW_S
    inside = np.zeros(len(end_s), bool)
    for first, last in sought:
        inside |= (end_s > first) & (end_s <= last)
    scores = rng.normal(size=len(end_s)) + np.where(inside, 1.0, -1.0)
    return track(scores.tolist(), *sought, speaker=speaker)
