"""Measures what a fresh process pays until its first verdict: imports, loading, memory."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from earlet.errors import EarletError
from earlet_bench.rows import ColdStart


def cold_start(bundle: Path, *, precision: str, threads: int = 1, processes: int = 3) -> ColdStart:
    """Start a process that loads the detector and judges one window; medians over `processes`.

    That process imports what `earlet` imports and no more: PyTorch is not in its memory. The
    first of a series also warms the file cache, as on any machine that is up for a while.
    """
    return _measure([str(bundle), precision, str(threads)], processes=processes)


def cold_start_of_original(
    run: Path, *, window_samples: int, threads: int = 1, processes: int = 1
) -> ColdStart:
    """The same with the PyTorch original, for comparison."""
    return _measure(
        ["--original", str(run), str(window_samples), str(threads)], processes=processes
    )


def _measure(arguments: list[str], *, processes: int) -> ColdStart:
    reports = [_once(arguments) for _ in range(processes)]
    return ColdStart(
        processes=processes,
        import_ms=median(r["import_ms"] for r in reports),
        load_ms=median(r["load_ms"] for r in reports),
        first_ms=median(r["first_ms"] for r in reports),
        total_ms=median(r["total_ms"] for r in reports),
        peak_rss_bytes=int(median(r["peak_rss_bytes"] for r in reports)),
    )


def _once(arguments: list[str]) -> dict[str, float]:
    # -P: a file named like a module in the user's folder must not be imported instead.
    command = [sys.executable, "-P", "-m", "earlet_bench.first_verdict", *arguments]
    began = time.perf_counter()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    total_ms = 1e3 * (time.perf_counter() - began)
    if ended.returncode != 0:
        last = (ended.stderr.strip() or f"exit code {ended.returncode}").splitlines()[-1]
        raise EarletError(
            f"a fresh process could not reach its first verdict: {last}. Expected what works in "
            "this process to work in a new one: check the installation with `earlet info`"
        )
    report: dict[str, float] = json.loads(ended.stdout)
    return {**report, "total_ms": total_ms}
