"""What the studies that train a grid of variants share on the command line, and how they run."""

import dataclasses
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from earlet_export.studies.study import Study

Out = Annotated[
    Path,
    typer.Option(help="Folder of the study: every training is kept there, and the page."),
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Epochs of each training, instead of the study's own.")
]
Seeds = Annotated[
    int | None, typer.Option(min=1, help="Trainings of each row, instead of the study's own.")
]
Clips = Annotated[
    int | None,
    typer.Option(min=32, help="Recordings to train on, instead of the study's own number."),
]
Full = Annotated[
    bool,
    typer.Option("--full", help="Nothing cut: all recordings, published sizes. Days on two cores."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Processor threads. Default: all there are.")
]
LimitMinutes = Annotated[
    float | None,
    typer.Option(
        help="Begin no training after so many minutes; the same command goes on later. The page "
        "is written for what is there."
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the results as JSON, and nothing else, on stdout.")
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """How much of a study to do; None: as much as the study itself thinks fits 90 minutes."""

    clips: int | None = None
    epochs: int | None = None
    seeds: int | None = None
    full: bool = False


def run_study(
    study: "Study",
    *,
    out: Path,
    threads: int | None,
    limit_minutes: float | None,
    as_json: bool,
) -> None:
    """Train what is not trained yet, write the page, and print it."""
    from earlet.manifest import canonical_json
    from earlet_export.studies.study import conduct, markdown
    from earlet_train.cli import share_the_processor
    from earlet_train.progress import StudyDisplay

    share_the_processor()
    with StudyDisplay() as display:
        answers, findings = conduct(
            study,
            out=out,
            threads=threads or len(os.sched_getaffinity(0)),
            limit_minutes=math.inf if limit_minutes is None else limit_minutes,
            watcher=lambda v: display.of(v.title, epochs=v.recipe.training.epochs),
            on_step=display.say,
        )
    if findings is None:
        typer.echo(f"{study.name}: nothing was trained within {limit_minutes:g} minutes.", err=True)
        return
    if as_json:
        rows = [dataclasses.asdict(answer.done) for answer in answers]
        tables = [dataclasses.asdict(table) for table in findings.tables]
        told = {"trainings": rows, "tables": tables, "answers": findings.answers}
        typer.echo(canonical_json(told), nl=False)
        return
    typer.echo(markdown(study, answers, findings))
    typer.echo(f"{out / study.name}.md holds the same.")
