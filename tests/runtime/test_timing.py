"""Timings are taken in turns, with nothing left out."""

import gc

import numpy as np
import pytest

from earlet.timing import Timing, interleave, ratio


def burn(steps: int) -> int:
    return sum(range(steps))


def test_candidates_take_turns_after_their_warm_ups() -> None:
    calls: list[str] = []
    rounds: list[int] = []
    interleave(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        rounds=3,
        warmups=2,
        on_round=lambda: rounds.append(len(calls)),
    )
    assert "".join(calls) == "aabb" + "ab" * 3
    assert rounds == [6, 8, 10]


def test_every_round_leaves_one_value() -> None:
    timings = interleave({"a": lambda: burn(10), "b": lambda: burn(10)}, rounds=7)
    for timing in timings.values():
        assert timing.wall_ms.shape == timing.cpu_ms.shape == (7,)
        assert (timing.wall_ms > 0).all()


def test_four_times_the_work_takes_about_four_times_the_processor() -> None:
    timings = interleave({"one": lambda: burn(100_000), "four": lambda: burn(400_000)}, rounds=9)
    assert 2.5 < ratio(timings["four"], timings["one"]) < 6.5


def test_the_ratio_is_taken_round_by_round() -> None:
    slow = Timing(wall_ms=np.ones(3), cpu_ms=np.array([2.0, 20, 200]))
    fast = Timing(wall_ms=np.ones(3), cpu_ms=np.array([1.0, 10, 100]))
    assert ratio(slow, fast) == 2


def test_percentiles_clip_no_outlier() -> None:
    timing = Timing(wall_ms=np.array([1.0, 1, 1, 101]), cpu_ms=np.ones(4))
    assert timing.percentile_ms(100) == 101
    assert timing.percentile_ms(50) == 1


def test_garbage_collection_is_on_again_afterwards_also_after_a_fault() -> None:
    def fault() -> None:
        raise RuntimeError("no")

    assert gc.isenabled()
    interleave({"a": lambda: None}, rounds=1)
    assert gc.isenabled()
    with pytest.raises(RuntimeError):
        interleave({"a": fault}, rounds=1, warmups=0)
    assert gc.isenabled()
