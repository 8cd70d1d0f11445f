"""The verb `earlet events`: a detector's events judged on labelled long recordings."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earlet_bench.tuning.options import Json, Precision, Threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from earlet_bench.tuning.events_page import Sitting
    from earlet_bench.tuning.material import System
    from earlet_bench.tuning.subject import Subject

EVENTS_SCHEMA = "earlet.events/1"


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
    corpus: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The corpus that was mixed: names its synthesizers in --attacks."
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw six recordings of the first DIR over time, of the first BUNDLE, as a PNG.",
        ),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a whole page as Markdown.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Judge a detector's events on long recordings: false alarms per hour, time to detection.

    With the policy of its manifest, which `earlet tune` wrote, and with the untuned one beside it.
    95 % intervals resample whole speakers. Of rows that would be the same one is shown.

    \b
    Example:
        earlet events bundle-tuned --data calls/eval
        earlet events bundle-tuned --data calls/eval --attacks --corpus corpus \\
            --picture events.png --markdown > events.md
    """  # noqa: D301
    from earlet.manifest import canonical_json
    from earlet_bench.tuning.events_page import events_page, system_tables
    from earlet_bench.tuning.page import in_words, table

    sitting = _sit(
        bundles, data, precision=precision, threads=threads, corpus=corpus, picture=picture
    )
    rows = sitting.rows
    by_system = system_tables(rows, sitting.materials, sitting.systems) if attacks else []
    if as_json:
        record = {
            "schema": EVENTS_SCHEMA,
            "created": sitting.created,
            "device": asdict(sitting.device),
            "rows": [row.record() for row in rows],
        }
        typer.echo(canonical_json(record), nl=False)
    elif as_markdown:
        typer.echo(events_page(sitting, attacks=by_system), nl=False)
    else:
        for line in table(rows):
            typer.echo(line)
        for one in by_system:
            typer.echo(f"\n{one.text()}", nl=False)
        typer.echo()
        for subject in sitting.subjects:
            typer.echo(f"{subject.what}: {in_words(subject.policy)}")


def _sit(
    bundles: Sequence[str],
    data: Sequence[Path],
    *,
    precision: str | None,
    threads: int,
    corpus: Path | None,
    picture: Path | None,
) -> "Sitting":
    """Refuse what cannot be, hear everything, judge it, draw it."""
    from earlet.bundle import find
    from earlet_bench.device import this_device
    from earlet_bench.tuning.events_page import Sitting
    from earlet_bench.tuning.hear import check_sought
    from earlet_bench.tuning.listening import (
        check_picture,
        hear_all,
        read_sets,
        row_of,
        short_name,
    )
    from earlet_bench.tuning.material import material, systems_of
    from earlet_bench.tuning.subject import label_sought, subjects

    check_picture(picture)
    # One bundle given twice is heard once.
    opened = list({found.path.resolve(): found for found in map(find, bundles)}.values())
    positive = label_sought(opened)
    systems = {} if corpus is None else systems_of(corpus)
    sets = read_sets(data)
    names = [short_name(folder) for folder in data]
    for recordings in sets:
        check_sought(recordings, positive=positive)
    materials = [
        material(recordings, folder, data=name, positive=positive)
        for recordings, folder, name in zip(sets, data, names, strict=True)
    ]
    heard = [
        (one, [hear_all(one, own, precision=precision, threads=threads) for own in sets])
        for one in opened
    ]
    judged = subjects(heard, precision=precision)
    return Sitting(
        positive=positive,
        subjects=judged,
        rows=[
            row_of(one.what, one.policy, tracks, data=name, positive=positive)
            for one in judged
            for tracks, name in zip(one.tracks, names, strict=True)
        ],
        materials=materials,
        systems=systems,
        device=this_device(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        picture=None
        if picture is None
        else _draw(judged, picture, data=names[0], positive=positive, systems=systems),
    )


def _draw(
    judged: "Sequence[Subject]",
    file: Path,
    *,
    data: str,
    positive: str,
    systems: "Mapping[str, System]",
) -> tuple[str, str]:
    """Draw the first bundle as it is delivered -> the picture's name, and the words under it."""
    from earlet_bench.tuning.timeline import RULE, choose_strips, draw_timeline

    own = [one for one in judged if one.bundle is judged[0].bundle]
    subject = next((one for one in own if one.kind == "tuned"), own[0])
    tracks = subject.tracks[0]
    strips = choose_strips(tracks, subject.policy, positive=positive)
    title = f"{subject.what}: {len(strips)} of {len(tracks)} recordings of {data}"
    draw_timeline(
        strips,
        subject.policy,
        positive=positive,
        title=title,
        names={key: one.name for key, one in systems.items()},
        file=file,
    )
    typer.echo(f"written: {file}", err=True)
    return file.name, f"*{title}.* {RULE}"
