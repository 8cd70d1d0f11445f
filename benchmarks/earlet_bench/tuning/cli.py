"""The verbs `earlet tune` and `earlet events`: decisions over time, on labelled long recordings."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earlet.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from earlet.bundle import Bundle
    from earlet.events import EventPolicy
    from earlet_bench.tuning.hear import Track
    from earlet_bench.tuning.page import Row
    from earlet_bench.tuning.search import Tried

TUNE_SCHEMA, EVENTS_SCHEMA = "earlet.tune/1", "earlet.events/1"

Precision = Annotated[
    str | None, typer.Option(help="int8 or fp32 [default: the bundle's own choice].")
]
Threads = Annotated[int, typer.Option(help="Processor threads.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


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
    from earlet_bench.tuning.page import in_words, markdown, table
    from earlet_bench.tuning.search import Grid, choose, search

    opened = find(bundle)
    target = _target(opened, out=out, write=write)
    _check_picture(picture)
    positive = opened.manifest.positive
    sets = _read_sets([data, *(held_out or [])])
    for recordings in sets:
        check_sought(recordings, positive=positive)
    heard = [_hear(opened, r, precision=precision, threads=threads) for r in sets]
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
    names = [_name(folder) for folder in [data, *(held_out or [])]]
    fallback = untuned(opened.manifest.threshold)
    rows = [_row("untuned", fallback, heard[0], data=names[0], positive=positive)]
    if best is not None:
        rows += [
            _row("tuned", best.policy, tracks, data=name, positive=positive)
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


def events(
    bundles: Annotated[
        list[str],
        typer.Argument(metavar="BUNDLE...", help="Bundle folders, or names of shipped detectors."),
    ],
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR", help="Long recordings: a folder with segments.csv; repeatable."
        ),
    ],
    precision: Precision = None,
    threads: Threads = 1,
    attacks: Annotated[
        bool, typer.Option("--attacks", help="Also say how soon each synthesizer was found.")
    ] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown, to paste.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge a detector's events on long recordings: false alarms per hour, time to detection.

    With the policy of its manifest, which `earlet tune` wrote, and with the untuned one beside it.
    95 % intervals resample whole speakers.

    \b
    Example:
        earlet events bundle-tuned --data calls/eval
        earlet events bundle-tuned other-tuned --data calls/eval --markdown
    """  # noqa: D301
    from earlet.bundle import find
    from earlet.events import untuned
    from earlet.manifest import canonical_json
    from earlet_bench.tuning.hear import check_sought
    from earlet_bench.tuning.page import in_words, markdown, system_table, table

    opened = [find(name) for name in bundles]
    sets = _read_sets(data)
    for one in opened:
        for recordings in sets:
            check_sought(recordings, positive=one.manifest.positive)
    rows: list[Row] = []
    for one in opened:
        manifest = one.manifest
        policies = {f"{manifest.name} untuned": untuned(manifest.threshold)}
        if manifest.events is not None:
            policies[f"{manifest.name} tuned"] = manifest.events
        for recordings, folder in zip(sets, data, strict=True):
            tracks = _hear(one, recordings, precision=precision, threads=threads)
            rows += [
                _row(what, policy, tracks, data=_name(folder), positive=manifest.positive)
                for what, policy in policies.items()
            ]
    if as_json:
        record = {"schema": EVENTS_SCHEMA, "rows": [row.record() for row in rows]}
        typer.echo(canonical_json(record), nl=False)
        return
    for line in (markdown if as_markdown else table)(rows):
        typer.echo(line)
    for line in system_table(rows) if attacks else []:
        typer.echo(line)
    if not as_markdown:
        for what, policy in {row.what: row.policy for row in rows}.items():
            typer.echo(f"{what}: {in_words(policy)}")


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


def _read_sets(folders: Sequence[Path]) -> list[Any]:
    from earlet.segments import read_segments
    from earlet_bench.tuning.hear import seconds_of

    sets = [read_segments(folder) for folder in folders]
    for recording in (r for recordings in sets for r in recordings):
        seconds_of(recording)
    return sets


def _hear(
    bundle: "Bundle", recordings: Sequence[Any], *, precision: str | None, threads: int
) -> "list[Track]":
    from earlet.detector import Detector
    from earlet_bench.progress import on_stderr
    from earlet_bench.tuning.hear import hear, seconds_of

    detector = Detector(bundle, precision=precision, threads=threads)
    with on_stderr() as progress:
        seconds = round(sum(seconds_of(one) for one in recordings))
        progress.stage("listening, in s of sound", seconds)
        return [hear(detector, one, on_second=progress.step) for one in recordings]


def _row(
    what: str, policy: "EventPolicy", tracks: "Sequence[Track]", *, data: str, positive: str
) -> "Row":
    from earlet_bench.tuning.judge import figures, outcomes
    from earlet_bench.tuning.page import Row

    found = outcomes(policy, tracks, positive=positive)
    hours = sum(track.duration_s for track in tracks) / 3600
    return Row(
        what=what,
        data=data,
        policy=policy,
        figures=figures(found, hours=hours),
        outcomes=found,
    )


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


def _name(folder: Path) -> str:
    """`calls/dev` -> `calls/dev`: the last two parts tell sets of equal names apart."""
    return "/".join(folder.resolve().parts[-2:])


def _check_picture(file: Path | None) -> None:
    from importlib.util import find_spec

    if file is None:
        return
    if find_spec("matplotlib") is None:
        raise MissingExtra(module="matplotlib", extra="bench")
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent} for the picture. Make it first.")
