"""What is recommended was proven here, and costs no more threads than it is worth."""

import dataclasses

from earlet_bench.recommend import recommendation, recommendations
from earlet_bench.rows import Row


def _timed(row: Row, *, p50_ms: float, threads: int = 1, passed: bool = True) -> Row:
    return dataclasses.replace(
        row,
        threads=threads,
        latency=dataclasses.replace(row.latency, p50_ms=p50_ms, real_time_factor=p50_ms / 500),
        parity=dataclasses.replace(row.parity, passed=passed),
    )


def test_the_quickest_graph_is_recommended_with_its_numbers(rows: list[Row]) -> None:
    fp32, int8 = _timed(rows[0], p50_ms=8.0), _timed(rows[1], p50_ms=3.125)
    assert recommendation([fp32, int8]) == (
        "int8, 1 thread: 3.12 ms per 0.5 s window, 0.0063 of real time"
    )


def test_a_quick_graph_with_wrong_answers_is_not(rows: list[Row]) -> None:
    fp32, int8 = _timed(rows[0], p50_ms=8.0), _timed(rows[1], p50_ms=3.0, passed=False)
    assert recommendation([fp32, int8]).startswith("fp32, 1 thread: 8 ms")
    assert recommendation([int8]).startswith("nothing to recommend")


def test_a_second_thread_must_be_worth_it(rows: list[Row]) -> None:
    one = _timed(rows[1], p50_ms=3.0)
    assert recommendation([one, _timed(one, p50_ms=2.8, threads=2)]).startswith("int8, 1 thread:")
    assert recommendation([one, _timed(one, p50_ms=1.7, threads=2)]).startswith("int8, 2 threads:")


def test_each_bundle_gets_its_own_line(rows: list[Row]) -> None:
    other = [dataclasses.replace(row, bundle="other") for row in rows]
    assert len(recommendations([*rows, *other])) == 2
