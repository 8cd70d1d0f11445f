"""Times several ways of doing the same thing side by side, so that only their ratio matters."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Milliseconds of one candidate, one value per round: wall clock and process CPU time."""

    wall_ms: NDArray[np.float64]
    cpu_ms: NDArray[np.float64]

    def percentile_ms(self, percent: float) -> float:
        """Wall-clock percentile; nothing is clipped as an outlier."""
        return float(np.percentile(self.wall_ms, percent))


def interleave(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warmups: int = 3,
    on_round: Callable[[], None] | None = None,
) -> dict[str, Timing]:
    """Run every candidate once per round (A B C, A B C, ...): name -> Timing.

    On a shared machine whatever slows one round slows all candidates of it, so ratios taken round
    by round (see `ratio`) stay meaningful where absolute milliseconds do not.
    """
    for call in candidates.values():
        for _ in range(warmups):
            call()
    wall: dict[str, list[float]] = {name: [] for name in candidates}
    cpu: dict[str, list[float]] = {name: [] for name in candidates}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, call in candidates.items():
                wall_start, cpu_start = time.perf_counter(), time.process_time()
                call()
                cpu[name].append(1e3 * (time.process_time() - cpu_start))
                wall[name].append(1e3 * (time.perf_counter() - wall_start))
            if on_round is not None:
                on_round()
    finally:
        if collecting:
            gc.enable()
    return {
        name: Timing(wall_ms=np.array(wall[name]), cpu_ms=np.array(cpu[name]))
        for name in candidates
    }


def ratio(of: Timing, to: Timing) -> float:
    """Median over rounds of the per-round CPU-time ratio."""
    return float(np.median(of.cpu_ms / to.cpu_ms))
