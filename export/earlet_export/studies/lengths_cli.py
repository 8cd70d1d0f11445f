"""`earlet study lengths`: which recipes' graphs take any length, and what that costs."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from earlet_export.studies.options import AsJson


def lengths(
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
    """Which networks can leave the length of their graphs open, and which part of the others not?

    Builds each recipe with fresh weights, exports it as `earlet export --length any` would, and
    compares fp32 and int8 with PyTorch at the shortest length, an odd one, one window and three
    and a bit; beside that the time on one window, against graphs of one length. Needs no data.

    \b
    Example:
      earlet study lengths --out studies/lengths
    """  # noqa: D301
    from earlet_train.cli import share_the_processor

    share_the_processor()
    from earlet.manifest import canonical_json
    from earlet_export.studies.lengths import LengthRow, study_lengths
    from earlet_export.studies.lengths_page import lengths_table
    from earlet_train.atomic import write_beside
    from earlet_train.recipe import load_recipe, shipped_recipes

    def page(rows: list[LengthRow]) -> None:
        text = lengths_table(rows).markdown()
        out.mkdir(parents=True, exist_ok=True)
        write_beside(out / "lengths.md", lambda file: file.write_text(text, encoding="utf-8"))

    rows = study_lengths(
        [load_recipe(name) for name in recipe or sorted(shipped_recipes())],
        on_step=lambda words: typer.echo(f"… {words}", err=True),
        on_row=page,
    )
    if as_json:
        typer.echo(canonical_json({"rows": [dataclasses.asdict(row) for row in rows]}), nl=False)
    else:
        typer.echo(lengths_table(rows).text())
        typer.echo(f"{out / 'lengths.md'} holds the same.")
