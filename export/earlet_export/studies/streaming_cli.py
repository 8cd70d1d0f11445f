"""`earlet study streaming`: which recipes stream exactly, and where the others stop."""

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
    as_json: AsJson = False,
) -> None:
    """Which networks can judge sound as it arrives from what is new, and what stops the others?

    Builds each recipe with fresh weights, plans its stream as `earlet export --stream exact` would,
    and compares it with whole windows; of the others it names the part where the stream ends, the
    reason, and what to change. Needs no data. What a stream costs: earlet bench BUNDLE --stream.

    \b
    Example:
      earlet study streaming --out studies/streaming
    """  # noqa: D301
    from earlet_train.cli import share_the_processor

    share_the_processor()
    from earlet.manifest import canonical_json
    from earlet_export.studies.streaming import StreamingRow, study_streaming
    from earlet_export.studies.streaming_page import streaming_page, streaming_text
    from earlet_train.atomic import write_beside
    from earlet_train.recipe import load_recipe, shipped_recipes

    def page(rows: list[StreamingRow]) -> None:
        text = streaming_page(rows)
        out.mkdir(parents=True, exist_ok=True)
        write_beside(out / "streaming.md", lambda file: file.write_text(text, encoding="utf-8"))

    rows = study_streaming(
        [load_recipe(name) for name in recipe or sorted(shipped_recipes())],
        on_step=lambda words: typer.echo(f"… {words}", err=True),
        on_row=page,
    )
    if as_json:
        typer.echo(canonical_json({"rows": [dataclasses.asdict(row) for row in rows]}), nl=False)
    else:
        typer.echo(streaming_text(rows))
        typer.echo(f"{out / 'streaming.md'} holds the same.")
