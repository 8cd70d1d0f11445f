"""The verb `earlet tune`: decisions over time, chosen on labelled long recordings."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earlet.errors import UsageError
from earlet_bench.tuning.events_cli import events
from earlet_bench.tuning.options import Json, Precision, Threads

if TYPE_CHECKING:
    from earlet.bundle import Bundle
    from earlet.events import EventPolicy
    from earlet_bench.tuning.page import Row
    from earlet_bench.tuning.search import Tried

__all__ = ["events", "tune"]

TUNE_SCHEMA = "earlet.tune/1"


def tune(
    bundle: Annotated[
        str, typer.Argument(help="Bundle folder, or the name of a shipped detector.")
    ],
    data: Annotated[
        Path,
        typer.Option(help="Long recordings to choose on: a folder with segments.csv. Never eval."),
    ],
    held_out: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Other recordings to judge the choice on; repeatable."),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(help="At most that many false alarms per hour.", min=0.0)
    ] = 1.0,
    cool_down: Annotated[
        float, typer.Option(help="No event for that many seconds after one. Not searched.", min=0.0)
    ] = 5.0,
    silence: Annotated[
        float, typer.Option(help="Seconds of silence that an event lives through.", min=0.0)
    ] = 5.0,
    precision: Precision = None,
    threads: Threads = 1,
    out: Annotated[
        Path | None, typer.Option(help="Write the bundle with the policy in it to this folder.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write the policy into the bundle itself.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw all that was tried as a PNG.")
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown, to paste.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Choose how verdicts become events: smoothing, two thresholds, minimum duration.

    The detector listens to every recording once; then each policy of a grid is tried on its
    verdicts. Chosen is the one that lets the least of the sought sound go by unnoticed, and stands
    the least in the rest, while it raises no more false alarms per hour than allowed. It goes into
    the bundle's manifest, where `earlet listen` finds it.

    Exit code 1: no policy that keeps to the allowed false alarms is of any use.

    \b
    Example:
        earlet corpus long corpus --split dev --out calls/dev
        earlet corpus long corpus --split eval --out calls/eval
        earlet tune bundle --data calls/dev --held-out calls/eval --out bundle-tuned
    """  # noqa: D301
    from earlet.bundle import find
    from earlet.events import untuned
    from earlet.manifest import canonical_json
    from earlet_bench.progress import on_stderr
    from earlet_bench.tuning.hear import check_sought
    from earlet_bench.tuning.listening import (
        check_picture,
        hear_all,
        read_sets,
        row_of,
        short_name,
    )
    from earlet_bench.tuning.page import in_words, markdown, table
    from earlet_bench.tuning.search import Grid, choose, search

    opened = find(bundle)
    target = _target(opened, out=out, write=write)
    check_picture(picture)
    positive = opened.manifest.positive
    sets = read_sets([data, *(held_out or [])])
    for recordings in sets:
        check_sought(recordings, positive=positive)
    heard = [hear_all(opened, r, precision=precision, threads=threads) for r in sets]
    grid = Grid(cool_down_s=cool_down, silence_s=silence)
    with on_stderr() as progress:
        tried = search(
            heard[0],
            positive=positive,
            grid=grid,
            on_stage=lambda steps: progress.stage("trying policies", steps),
            on_policy=progress.step,
        )
    best = choose(tried, most_per_hour=false_alarms)
    names = [short_name(folder) for folder in [data, *(held_out or [])]]
    fallback = untuned(opened.manifest.threshold)
    rows = [row_of("untuned", fallback, heard[0], data=names[0], positive=positive)]
    if best is not None:
        rows += [
            row_of("tuned", best.policy, tracks, data=name, positive=positive)
            for tracks, name in zip(heard, names, strict=True)
        ]
    record = _record(opened, rows, tried, precision=precision, allowed=false_alarms)
    if picture is not None:
        from earlet_bench.tuning.picture import draw

        draw(
            tried,
            chosen=rows[1] if best else None,
            others=[*rows[2:], rows[0]],
            most_per_hour=false_alarms,
            title=f"{opened.manifest.name}: decisions over time on {names[0]}",
            file=picture,
        )
        typer.echo(f"written: {picture}", err=True)
    if best is not None and target is not None:
        point = rows[1].figures.point(f"{names[0]}, {len(sets[0])} recordings")
        _write(opened, target, policy=best.policy, point=point, told=canonical_json(record))
        typer.echo(f"written: {target}", err=True)
    if as_json:
        typer.echo(canonical_json(record), nl=False)
    else:
        for line in (markdown if as_markdown else table)(rows):
            typer.echo(line)
        if best is not None:
            typer.echo(f"chosen of {len(tried)}: {in_words(best.policy)}")
    if best is None:
        typer.echo(
            f"earlet: with at most {false_alarms:g} false alarms per hour on {names[0]}, none of "
            f"{len(tried)} policies finds {positive!r} better than an alarm that never stands, or "
            "always. Nothing was written. Allow more with --false-alarms, or give a better "
            "detector.",
            err=True,
        )
        raise typer.Exit(1)


def _target(bundle: "Bundle", *, out: Path | None, write: bool) -> Path | None:
    """Where the new bundle goes. Raises UsageError early, before anything is heard."""
    from earlet.bundle import SHIPPED
    from earlet.write import refuse_existing
    from earlet_bench.tuning.bundle import check_whole

    if out is not None and write:
        raise UsageError("--out and --write name two places for one bundle: give one of them.")
    if out is None and not write:
        return None
    check_whole(bundle)
    if out is not None:
        refuse_existing(out, replace=False)
        return out
    if bundle.path.parent == SHIPPED:
        raise UsageError(
            f"{bundle.path.name} came with the installation, which is left as it is. Give another "
            "place with --out."
        )
    return bundle.path


def _write(bundle: "Bundle", target: Path, *, policy: "EventPolicy", point: Any, told: str) -> None:
    from earlet.write import check_written, write_bundle
    from earlet_bench.tuning.bundle import with_events

    files = with_events(bundle, policy=policy, point=point, told=told)
    write_bundle(target, files, replace=target == bundle.path, check=check_written)


def _record(
    bundle: "Bundle",
    rows: "Sequence[Row]",
    tried: "Sequence[Tried]",
    *,
    precision: str | None,
    allowed: float,
) -> dict[str, Any]:
    """What stands in `events.json`: the rows, and of all that was tried the best in both."""
    from earlet_bench.tuning.search import frontier

    return {
        "schema": TUNE_SCHEMA,
        "model": bundle.manifest.name,
        "version": bundle.manifest.version,
        "precision": bundle.precision(precision),
        "allowed_false_alarms_per_hour": allowed,
        "tried": len(tried),
        "rows": [row.record() for row in rows],
        "frontier": [
            {
                "policy": asdict(one.policy),
                "false_alarms_per_hour": one.figures.false_alarms_per_hour.value,
                "median_latency_s": one.figures.median_latency_s.value,
                "misses": one.figures.misses,
            }
            for one in frontier(tried)
            if one.figures.median_latency_s is not None
        ],
    }
