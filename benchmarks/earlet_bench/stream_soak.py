"""A long time of fresh sound through one stream, as fast as it goes: memory, drift at the end."""

import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from earlet.detector import Detector
from earlet.errors import UsageError
from earlet.resample import Waveform
from earlet.streaming import Streaming
from earlet.verdict import Verdict
from earlet_bench.stream_agreement import windows
from earlet_bench.stream_memory import resident_bytes
from earlet_bench.stream_rows import Soak

_WINDOWS_AT_END = 32
# What was not yet allocated is no leak.
_WARMING = 0.2
# Less than the verdicts of ten minutes would need, if they were kept.
MOST_GROWTH_BYTES = 1 << 20


def soak(
    detector: Detector,
    streaming: Streaming,
    sound: Waveform,
    *,
    minutes: float,
    seed: int,
    tolerance: float,
    on_minute: Callable[[], None] = lambda: None,
) -> Soak:
    """One exact stream for so many minutes of sound made from `sound` [T] and noise.

    `tolerance`: of a logit. Raises UsageError where the system does not tell a process's memory, or
    the time is too short for a window.
    """
    check_can_soak()
    rate_hz, chunk = detector.manifest.sample_rate_hz, streaming.chunk_samples
    window = detector.manifest.window.window_samples
    stream = detector.stream(kind="exact")
    # Enough to judge the last windows again: what the stream still waits for lies behind them.
    late = round(stream.warmup_s * rate_hz) - window
    kept: deque[Waveform] = deque()
    held = given = minute = 0
    last: deque[Verdict] = deque(maxlen=_WINDOWS_AT_END)
    hours: list[float] = []
    memory: list[int] = []
    began = time.perf_counter()
    for piece in fresh_sound(sound, rng=np.random.default_rng(seed), around_samples=chunk):
        last.extend(stream.accept(piece, rate_hz))
        kept.append(piece)
        given, held = given + len(piece), held + len(piece)
        while held - len(kept[0]) >= window + (_WINDOWS_AT_END + 1) * chunk + late:
            held -= len(kept.popleft())
        if given >= rate_hz * (len(hours) + 1):
            hours.append(given / rate_hz / 3600)
            memory.append(resident_bytes() or 0)
        if given >= 60 * rate_hz * (minute + 1):
            minute += 1
            on_minute()
        if given >= 60 * rate_hz * minutes:
            break
    wall_s = time.perf_counter() - began
    if not last:
        raise UsageError(
            f"{60 * minutes:.3g} s of sound have no window: ask for more, --soak MINUTES."
        )
    end = np.concatenate(kept)
    starts = [round(v.start_s * rate_hz) - (given - held) for v in last]
    judged = windows(detector, end, starts)
    away = _away(last, judged)
    # The offline windows are counted from where the kept sound begins.
    labels = [(v.label, v.status) for v in last]
    differ = sum(one != (v.label, v.status) for one, v in zip(labels, judged, strict=True))
    first = int(_WARMING * len(hours))
    slope = _slope(hours[first:], memory[first:])
    growth = slope * (hours[-1] - hours[first]) if hours else 0.0
    # A score is a difference of logits, scaled.
    allowed = 2 * detector.manifest.calibration.scale * tolerance
    return Soak(
        sound_min=given / rate_hz / 60,
        wall_s=wall_s,
        samples_of_memory=len(memory) - first,
        resident_bytes=memory[-1] if memory else 0,
        slope_mb_per_h=slope / 1e6,
        growth_bytes=round(growth),
        windows_at_end=len(judged),
        max_abs_score=away,
        tolerance=allowed,
        differ=differ,
        passed=away <= allowed and growth <= MOST_GROWTH_BYTES,
    )


def check_can_soak() -> None:
    """Raises UsageError where the system does not tell what memory a process holds."""
    if resident_bytes() is None:
        raise UsageError("this system does not tell a process's memory in /proc: leave --soak out.")


def fresh_sound(
    sound: Waveform, *, rng: np.random.Generator, around_samples: int
) -> Iterator[Waveform]:
    """Pieces without end, never the same twice, of up to twice `around_samples` samples.

    Each mixes two places of `sound` [T] at random levels with a new stretch of noise; one in ten
    fades to digital silence.
    """
    while True:
        samples = int(rng.integers(1, 2 * around_samples))
        mixed = np.zeros(samples)
        if rng.random() > 0.1:
            for level in rng.uniform(0, 0.5, 2):
                start = int(rng.integers(0, max(1, len(sound) - samples)))
                part = sound[start : start + samples]
                mixed[: len(part)] += level * part
            mixed += rng.normal(0, 10 ** rng.uniform(-4, -1.5), samples)
        yield np.clip(mixed, -1, 1).astype(np.float32)


def _away(some: "deque[Verdict]", others: list[Verdict]) -> float:
    """Largest difference of scores; infinite where only one of two is a score."""
    worst = 0.0
    for one, other in zip(some, others, strict=True):
        if one.score is not None and other.score is not None:
            worst = max(worst, abs(one.score - other.score))
        elif one.score is not other.score:
            worst = float("inf")
    return worst


def _slope(hours: list[float], memory: list[int]) -> float:
    """Bytes an hour, by least squares; 0 of fewer than two samples."""
    if len(hours) < 2:
        return 0.0
    t: NDArray[np.float64] = np.array(hours) - np.mean(hours)
    return float(t @ (np.array(memory) - np.mean(memory)) / (t @ t))
