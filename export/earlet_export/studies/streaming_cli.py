"""`earlet study streaming`: which recipes stream exactly, what that gives, where others stop."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from earlet_export.studies.options import AsJson


def streaming(
    out: Annotated[Path, typer.Option(help="Folder of the study: the page.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this recipe, by name or file; may be given again. Default: all that are "
            "shipped."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A recording or a folder of them, over a minute of sound: what streams are "
            "measured on. Default: the golden signals, which are no speech."
        ),
    ] = None,
    rounds: Annotated[
        int,
        typer.Option(
            min=0, help="Rounds of the timing, for each recipe that streams; 0: measure nothing."
        ),
    ] = 60,
    as_json: AsJson = False,
) -> None:
    """Which networks can judge sound as it arrives from what is new, and what stops the others?

    Builds each recipe with fresh weights, plans its stream as `earlet export --stream exact` would,
    and compares it with whole windows; of the others it names the part where the stream ends, the
    reason, and what to change. Of those that stream it measures how equal they are, in fp32 and
    int8, however the sound is cut, and what a second of sound costs either way. Needs no data. Of a
    trained bundle: earlet bench BUNDLE --stream. Exit code 1 where a stream is not what its windows
    are.

    \b
    Example:
      earlet study streaming --out studies/streaming --data corpora/demo
    """  # noqa: D301
    from earlet_train.cli import share_the_processor

    share_the_processor()
    from earlet.errors import ParityError
    from earlet.manifest import canonical_json
    from earlet_bench.latency import Budget
    from earlet_export.studies.streaming import StreamingRow, study_streaming
    from earlet_export.studies.streaming_measured import Measuring
    from earlet_export.studies.streaming_page import streaming_page, streaming_text
    from earlet_train.atomic import write_beside
    from earlet_train.recipe import load_recipe, shipped_recipes

    def page(rows: list[StreamingRow]) -> None:
        text = streaming_page(rows)
        out.mkdir(parents=True, exist_ok=True)
        write_beside(out / "streaming.md", lambda file: file.write_text(text, encoding="utf-8"))

    rows = study_streaming(
        [load_recipe(name) for name in recipe or sorted(shipped_recipes())],
        measuring=Measuring(data=data, budget=Budget(rounds=rounds, seconds=60.0))
        if rounds
        else None,
        on_step=lambda words: typer.echo(f"… {words}", err=True),
        on_row=page,
    )
    if as_json:
        typer.echo(canonical_json({"rows": [dataclasses.asdict(row) for row in rows]}), nl=False)
    else:
        typer.echo(streaming_text(rows))
        typer.echo(f"{out / 'streaming.md'} holds the same.")
    failed = [row.recipe for row in rows if row.measured is not None and row.measured.failures]
    if failed:
        raise ParityError(
            f"{', '.join(failed)}: a stream is not what its windows are; the lines that begin with "
            "FAILED say where."
        )
