"""`earlet bench BUNDLE --stream`: what is asked there, kept and shown."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import typer

from earlet.errors import ParityError
from earlet_bench.latency import Budget


def bench_streams(
    bundles: Sequence[str],
    *,
    data: Path | None,
    budget: Budget,
    soak_min: float,
    seed: int,
    results: Path | None,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Measure each bundle, show its tables, keep its rows where `results` says.

    Raises UsageError on a bundle that does not stream before anything is measured, and ParityError
    at the end where something did not hold.
    """
    from earlet.bundle import find
    from earlet_bench.device import this_device
    from earlet_bench.progress import on_stderr
    from earlet_bench.results import append_rows, check_writable, rows_json
    from earlet_bench.stream_measure import StreamPlan, check_streams, measure_streams
    from earlet_bench.stream_soak import check_can_soak
    from earlet_bench.stream_sound import long_sound
    from earlet_bench.stream_table import stream_page, stream_text

    device = this_device()
    if results is not None:
        check_writable(results, device.slug)
    if soak_min:
        check_can_soak()
    opened = [find(name) for name in bundles]
    for bundle in opened:
        check_streams(bundle)
    plan = StreamPlan(budget=budget, soak_min=soak_min, seed=seed)
    rows = []
    with on_stderr() as progress:
        for bundle in opened:
            sound = long_sound(bundle.manifest, data, seed=seed)
            rows.append(measure_streams(bundle, sound, plan=plan, device=device, progress=progress))
    flat = [row for of_one in rows for row in of_one]
    kept = None if results is None else append_rows(results, flat)
    if as_json:
        typer.echo(rows_json([dataclasses.asdict(row) for row in flat]), nl=False)
    else:
        show = stream_page if as_markdown else stream_text
        typer.echo("\n".join(show(of_one) for of_one in rows), nl=False)
    if kept is not None:
        typer.echo(f"written: {kept}", err=True)
    if any(row.failures for row in flat):
        names = ", ".join(f"{row.bundle} {row.precision}" for row in flat if row.failures)
        raise ParityError(
            f"{names} failed on this machine: the lines that begin with FAILED say where. Do not "
            "use its streams here; earlet verify shows more"
        )
