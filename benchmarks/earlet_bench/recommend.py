"""Says in one line how to run a detector on this board, from what was measured on it."""

from collections.abc import Sequence

from earlet_bench.rows import Row
from earlet_bench.table import plain

# A further thread must buy this much: it costs energy, and the core of somebody else.
_WORTH_MORE_THREADS = 0.8


def recommendations(rows: Sequence[Row]) -> list[str]:
    """Rows -> a line per bundle."""
    return [
        f"on this board, {title}: " + recommendation([row for row in rows if row.title == title])
        for title in dict.fromkeys(row.title for row in rows)
    ]


def recommendation(rows: Sequence[Row]) -> str:
    """Rows of one bundle -> what to use here: only what passed its golden replay is proposed."""
    usable = [row for row in rows if row.parity.passed and row.precision != "original"]
    if not usable:
        return "nothing to recommend: no graph gets the original's answers on this machine"
    best = quickest(usable)
    return (
        f"{best.precision}, {best.threads} thread{'s' * (best.threads > 1)}: "
        f"{plain(best.latency.p50_ms, digits=3)} ms per "
        f"{plain(best.latency.window_s, digits=3)} s window, "
        f"{plain(best.latency.real_time_factor, digits=2)} of real time"
    )


def quickest(rows: Sequence[Row]) -> Row:
    """The fastest row; one of more threads only where it takes 0.8 of the time or less."""
    by_threads = sorted({row.threads for row in rows})
    chosen: Row | None = None
    for threads in by_threads:
        fastest = min(
            (row for row in rows if row.threads == threads), key=lambda r: r.latency.p50_ms
        )
        if chosen is None or (
            fastest.latency.p50_ms <= _WORTH_MORE_THREADS * chosen.latency.p50_ms
        ):
            chosen = fastest
    assert chosen is not None, "rows must not be empty"
    return chosen
