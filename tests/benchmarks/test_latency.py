"""Candidates are timed side by side, on the same windows, with nothing left out."""

import time

import numpy as np
import pytest

from earlet.timing import Timing
from earlet_bench.latency import Budget, Floats, summarize, time_side_by_side

WINDOWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_a_slower_candidate_is_measured_slower() -> None:
    def slow(windows: Floats) -> Floats:
        time.sleep(0.004)
        return windows

    def quick(windows: Floats) -> Floats:
        return windows

    timings = time_side_by_side(
        {"slow": slow, "quick": quick}, windows=WINDOWS, budget=Budget(rounds=20)
    )
    assert timings["slow"].percentile_ms(50) >= 4
    assert timings["quick"].percentile_ms(50) < 2


def test_every_candidate_hears_the_same_window_in_each_round() -> None:
    heard: dict[str, list[float]] = {"a": [], "b": []}

    def listener(name: str) -> object:
        def score(windows: Floats) -> Floats:
            assert windows.shape == (1, 3)
            heard[name].append(float(windows[0, 0]))
            return windows

        return score

    time_side_by_side(
        {"a": listener("a"), "b": listener("b")},  # type: ignore[dict-item]
        windows=WINDOWS,
        budget=Budget(rounds=10),
    )
    assert heard["a"] == heard["b"]
    assert set(heard["a"]) == {0.0, 3.0, 6.0, 9.0}


@pytest.mark.parametrize(
    ("round_s", "rounds"),
    [(0.001, 200), (0.1, 100), (1.0, 30), (0.0, 200)],
    ids=["quick: all rounds", "slower: what fits in 10 s", "slow: not under 30", "no time at all"],
)
def test_the_budget_gives_rounds(round_s: float, rounds: int) -> None:
    assert Budget(rounds=200, seconds=10).rounds_of(round_s) == rounds


def test_the_progress_hears_as_many_rounds_as_were_announced() -> None:
    announced: list[int] = []
    seen: list[None] = []
    time_side_by_side(
        {"one": lambda windows: windows},
        windows=WINDOWS,
        budget=Budget(rounds=17),
        on_start=announced.append,
        on_round=lambda: seen.append(None),
    )
    assert announced == [17]
    assert len(seen) == 17


def test_the_slowest_round_is_told_and_not_clipped() -> None:
    wall = np.array([1.0] * 99 + [500.0])
    timing = Timing(wall_ms=wall, cpu_ms=np.full(100, 2.0))
    half = Timing(wall_ms=wall, cpu_ms=np.full(100, 4.0))
    found = summarize(timing, window_s=4.0, fp32=half, original=timing)
    assert found.max_ms == 500.0
    assert found.p50_ms == 1.0
    assert found.real_time_factor == pytest.approx(1 / 4000)
    assert found.versus_fp32 == 0.5
    assert found.versus_original is None, "nothing is compared with itself"
