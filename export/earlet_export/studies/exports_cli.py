"""`earlet study exports`: every trained detector through the export, one row each."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from earlet_export.studies.options import AsJson


def exports(
    runs: Annotated[
        Path, typer.Option(help="Folder of run folders, at any depth, or one run folder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the study: the kept rows, the page.")],
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="Corpus to calibrate and prove with; may be given again. A run takes the first "
            "one that has its labels. Default: the one that each run was trained on."
        ),
    ] = None,
    proof_clips: Annotated[
        int, typer.Option(min=10, help="At most this many dev recordings prove each row.")
    ] = 400,
    calibration_clips: Annotated[
        int | None, typer.Option(min=1, help="Instead of each recipe's own number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Does every trained detector survive its export, and what does int8 give it?

    For each run: how far fp32 moves a logit, the decisions and the EER that int8 changes (with a
    paired interval), sizes, times, and which layers had to stay in float. int8 may cost at most 0.3
    points of EER; a row that costs more says why. A run that was fine-tuned with
    --quantization-aware is held against the run it came from.

    A row that is done is kept in --out, and stays on the page when its run is no longer there:
    remove its file to drop it.

    \b
    Example:
      earlet study exports --runs runs --corpus corpora/demo --out studies/exports
    """  # noqa: D301
    from earlet_train.cli import share_the_processor

    share_the_processor()
    from earlet.errors import UsageError
    from earlet.manifest import canonical_json
    from earlet_export.studies.exports import (
        Effort,
        Failed,
        find_runs,
        name_of,
        study_exports,
    )
    from earlet_export.studies.exports_page import exports_table
    from earlet_export.studies.exports_rows import ExportRow, kept_of_others
    from earlet_train.atomic import write_beside

    found = find_runs(runs)
    if not found:
        raise UsageError(
            f"there is no run folder at or below {runs}. Train one with `earlet train`, or name "
            "the folder that holds them with --runs."
        )

    names = {name_of(run, runs) for run in found}

    def with_others(rows: list[ExportRow | Failed]) -> list[ExportRow | Failed]:
        return sorted([*rows, *kept_of_others(out, names)], key=lambda row: row.run)

    def page(rows: list[ExportRow | Failed]) -> None:
        text = exports_table(with_others(rows)).markdown()
        out.mkdir(parents=True, exist_ok=True)
        write_beside(out / "exports.md", lambda file: file.write_text(text, encoding="utf-8"))

    measured = study_exports(
        found,
        root=runs,
        corpora=corpus or [],
        out=out,
        effort=Effort(proof_clips=proof_clips, calibration_clips=calibration_clips),
        on_step=lambda words: typer.echo(f"… {words}", err=True),
        on_row=page,
    )
    rows = with_others(measured)
    if as_json:
        typer.echo(canonical_json({"rows": [dataclasses.asdict(row) for row in rows]}), nl=False)
    else:
        typer.echo(exports_table(rows).text())
        typer.echo(f"{out / 'exports.md'} holds the same.")
