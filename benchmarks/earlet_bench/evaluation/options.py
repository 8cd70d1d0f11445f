"""What `earlet evaluate` and `earlet fuse` have in common: options, and how results are shown."""

from collections.abc import Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earlet.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from earlet_bench.evaluation.binary import Settings
    from earlet_bench.evaluation.evaluation import Judged
    from earlet_bench.evaluation.score_file import ScoreFile


class Label(StrEnum):
    """What high scores of a file stand for."""

    bonafide = "bonafide"
    spoof = "spoof"


Data = Annotated[Path, typer.Option(metavar="DIR", help="The labelled corpus.")]
Split = Annotated[str, typer.Option(help="Which split of it.")]
Higher = Annotated[
    Label | None,
    typer.Option(
        help="What high scores in the score files stand for [default: bonafide in ASVspoof files, "
        "spoof in the lines of earlet detect --json]."
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Also by this column of the corpus: codec, vocoder, environment, ... [default: codec "
        "or compression, where there is one].",
    ),
]
Asv = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Scores of a speaker verifier (2019: one file; 2021: with --asv-metadata), or the "
        "C012 .npy of the 2021 keys: adds min t-DCF.",
    ),
]
AsvMetadata = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="ASV/trial_metadata.txt of 2021, for its score file."),
]
Resamples = Annotated[
    int, typer.Option(help="Resamples of the 95 % intervals; 0 leaves them out.", min=0)
]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write a Markdown page, JSON and pictures there."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]


def read_one(file: Path, higher: Label | None) -> "ScoreFile":
    """A score file, its sign as told or its form's own."""
    from earlet_bench.evaluation.score_file import read_scores

    return read_scores(file, higher=None if higher is None else higher.value)


def settings_of(
    data: Path,
    split: str,
    by: str | None,
    asv: Path | None,
    asv_metadata: Path | None,
    resamples: int,
) -> "Settings":
    """The verifier read, the column chosen. Raises UsageError."""
    from earlet_bench.evaluation.asv_scores import read_verifier
    from earlet_bench.evaluation.binary import Settings
    from earlet_bench.evaluation.evaluation import column

    if asv_metadata is not None and asv is None:
        raise UsageError("--asv-metadata describes the trials of a score file: give it with --asv.")
    return Settings(
        verifier=None
        if asv is None
        else read_verifier(
            asv, metadata=asv_metadata, subset=None if asv_metadata is None else split
        ),
        by=column(data, split, by),
        resamples=resamples,
    )


def show(judged: "Sequence[Judged]", *, out: Path | None, as_json: bool) -> None:
    """Evaluations -> stdout, warnings -> stderr, and into the folder where one is named."""
    from earlet_bench.evaluation.evaluation import to_json
    from earlet_bench.evaluation.page import about, write_folder
    from earlet_bench.evaluation.tables import tables, warnings

    evaluations = [one.evaluation for one in judged]
    for warning in warnings(evaluations):
        typer.secho(f"earlet: {warning}", err=True, fg="yellow")
    if as_json:
        typer.echo(to_json(evaluations), nl=False)
    else:
        for line in about(evaluations):
            typer.echo(line)
        for table in tables(evaluations):
            typer.echo("")
            typer.echo(table.text(), nl=False)
    if out is not None:
        written = write_folder(judged, out)
        typer.echo(f"written: {', '.join(map(str, written))}", err=True)


def check_extra(*, pictures: bool) -> None:
    """Raises MissingExtra, with the extra that `earlet bench` names too."""
    for module in ("sklearn", *(("matplotlib",) if pictures else ())):
        if find_spec(module) is None:
            raise MissingExtra(module=module, extra="bench")
