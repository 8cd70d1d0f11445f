"""Times one window on every candidate, round by round side by side: original, fp32, int8."""

import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.timing import Timing, interleave, ratio
from earlet_bench.rows import Latency

Floats = NDArray[np.float32]
Scorer = Callable[[Floats], Floats]

FEWEST_ROUNDS = 30


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When to stop: after `rounds`, or before where they would take longer than `seconds`.

    Never under 30 rounds: percentiles of fewer say nothing. p99 of fewer than 100 is the maximum.
    """

    rounds: int = 200
    seconds: float = 10.0

    def rounds_of(self, round_s: float) -> int:
        """How many rounds of `round_s` seconds fit."""
        fit = math.ceil(self.seconds / max(round_s, 1e-6))
        return min(self.rounds, max(fit, min(FEWEST_ROUNDS, self.rounds)))


def time_side_by_side(
    candidates: Mapping[str, Scorer],
    *,
    windows: Floats,
    budget: Budget,
    on_start: Callable[[int], None] | None = None,
    on_round: Callable[[], None] | None = None,
) -> dict[str, Timing]:
    """Windows [S, T] -> per candidate the milliseconds of each round.

    A round gives every candidate the same window, batch 1; the next round takes the next window.
    `on_start` hears how many rounds there will be.
    """
    calls = {name: _cycling(score, windows) for name, score in candidates.items()}
    for call in calls.values():
        call()
    start = time.perf_counter()
    for call in calls.values():
        call()
    rounds = budget.rounds_of(time.perf_counter() - start)
    if on_start is not None:
        on_start(rounds)
    return interleave(calls, rounds=rounds, on_round=on_round)


def summarize(
    timing: Timing,
    *,
    window_s: float,
    fp32: Timing | None,
    original: Timing | None,
    frontend_share: float | None = None,
) -> Latency:
    """Rounds -> percentiles and ratios. Nothing is clipped: the slowest round is `max_ms`.

    `fp32`, `original`: the candidates of the same run to compare with.
    """
    p50_ms = timing.percentile_ms(50)
    return Latency(
        rounds=len(timing.wall_ms),
        window_s=window_s,
        p50_ms=p50_ms,
        p90_ms=timing.percentile_ms(90),
        p99_ms=timing.percentile_ms(99),
        max_ms=timing.percentile_ms(100),
        cpu_p50_ms=float(np.median(timing.cpu_ms)),
        real_time_factor=p50_ms / (1e3 * window_s),
        versus_fp32=None if fp32 is None or fp32 is timing else ratio(timing, fp32),
        versus_original=None if original is None or original is timing else ratio(timing, original),
        frontend_share=frontend_share,
    )


def _cycling(score: Scorer, windows: Floats) -> Callable[[], Floats]:
    """A call that scores the next window each time; copies are made before the clock runs."""
    batches = itertools.cycle([np.ascontiguousarray(window[None]) for window in windows])
    return lambda: score(next(batches))
