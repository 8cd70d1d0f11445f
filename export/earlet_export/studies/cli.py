"""The verb `earlet study`; whatever is heavy is imported when it runs."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Literal

import typer

SPEECH = ("bonafide", "spoof")


def study(
    name: Annotated[Literal["systems"], typer.Argument(help="Which study; see below.")],
    corpus: Annotated[Path, typer.Option(help="Folder of the corpus to train and judge on.")],
    out: Annotated[Path, typer.Option(help="Folder of the study: kept rows, the page.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this recipe, by name or file; may be given again. Default: all "
            "whose labels are bonafide and spoof."
        ),
    ] = None,
    clips: Annotated[int, typer.Option(min=32, help="Recordings to train on.")] = 320,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs to train for.")] = 2,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads. Default: all there are.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the rows as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Ask one question of many recipes and answer it in a table.

    systems: does every recipe train, export and quantize? Each is described, learns 32 clips by
    heart, is trained for a moment, exported, proven and timed. A row that is done is kept: run the
    same command again after a break.

    \b
    Example:
      earlet study systems --corpus corpora/demo --out studies/systems
    """  # noqa: D301
    from earlet_train.cli import share_the_processor

    share_the_processor()
    from earlet_train.recipe import load_recipe, shipped_recipes

    # All are read first: a misspelt name is found before anything is trained.
    asked = [load_recipe(name) for name in recipe or sorted(shipped_recipes())]
    chosen = asked if recipe else [found for found in asked if found.labels == SPEECH]
    from earlet.errors import ParityError
    from earlet.manifest import canonical_json
    from earlet_export.studies.published import published_counts
    from earlet_export.studies.systems import Effort, study_system
    from earlet_export.studies.systems_table import markdown, terminal
    from earlet_train.atomic import write_beside
    from earlet_train.progress import RunDisplay

    def step(words: str) -> None:
        typer.echo(f"… {words}", err=True)

    effort = Effort(clips=clips, epochs=epochs)
    rows = []
    for found in chosen:
        with RunDisplay(name=found.name, epochs=epochs) as display:
            rows.append(
                study_system(
                    found,
                    corpus=corpus,
                    out=out,
                    effort=effort,
                    threads=threads or len(os.sched_getaffinity(0)),
                    watcher=display,
                    on_step=step,
                )
            )
    counts = published_counts()
    page = markdown(rows, counts, corpus=corpus.resolve().name)
    write_beside(out / "systems.md", lambda file: file.write_text(page, encoding="utf-8"))
    if as_json:
        typer.echo(canonical_json({"rows": [dataclasses.asdict(row) for row in rows]}), nl=False)
    else:
        typer.echo(terminal(rows, counts, corpus=corpus.resolve().name))
        typer.echo(f"\n{out / 'systems.md'} holds the same.")
    different = [count.what for count in counts if not count.equal]
    if different:
        raise ParityError(f"{', '.join(different)}: not the published number of parameters.")
