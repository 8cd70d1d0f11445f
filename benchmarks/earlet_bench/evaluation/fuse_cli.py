"""The verb `earlet fuse`: several detectors as one, from their scores."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from earlet.errors import UsageError
from earlet_bench.evaluation.options import (
    AsJson,
    Asv,
    AsvMetadata,
    By,
    Data,
    Higher,
    Out,
    Resamples,
    Split,
    check_extra,
    read_one,
    settings_of,
    show,
)


class How(StrEnum):
    """How scores are fused."""

    mean = "mean"
    logistic = "logistic"


def fuse(
    scores: Annotated[
        list[Path], typer.Argument(metavar="SCORES...", help="Score files of two systems or more.")
    ],
    data: Data,
    split: Split = "eval",
    how: Annotated[
        How, typer.Option(help="mean: of raw scores, as published; logistic: learned on --dev.")
    ] = How.mean,
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="SCORES",
            help="Dev scores of each system, in the same order, once for each: logistic learns "
            "from them alone.",
        ),
    ] = None,
    dev_split: Annotated[str, typer.Option(help="The split that they are of.")] = "dev",
    higher: Higher = None,
    by: By = None,
    asv: Asv = None,
    asv_metadata: AsvMetadata = None,
    resamples: Resamples = 500,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the fused scores as an ASVspoof file (higher = bona fide)."
        ),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Fuse the scores of several detectors, and evaluate each of them and all together.

    The plain mean adds up raw scores without any weight, as published; systems whose scores spread
    wider have more to say. The logistic fusion is calibrated: it learns a weight for each system
    and an offset, from the dev split only. Signs are as in earlet evaluate: ASVspoof files have
    high = bona fide and are turned round on reading and writing.

    \b
    Example:
        earlet fuse spec.txt mfcc.txt cqcc.txt --data LA
        earlet fuse a.txt b.txt --data LA --how logistic --dev a.dev.txt --dev b.dev.txt
    """  # noqa: D301
    import numpy as np

    from earlet_bench.evaluation.evaluation import (
        evaluate_scores,
        other_trials,
        read_split,
    )
    from earlet_bench.evaluation.fusion import logistic_fusion, mean_fusion
    from earlet_bench.evaluation.page import check_folder
    from earlet_bench.evaluation.score_file import ScoreFile, write_scores

    check_extra(pictures=out is not None)
    if out is not None:
        check_folder(out)
    if len(scores) < 2:
        raise UsageError("one score file is nothing to fuse: give two or more.")
    if (how is How.logistic) != bool(dev):
        raise UsageError(
            "--how logistic learns from dev scores: give --dev once for each system, in the same "
            "order."
            if how is How.logistic
            else "--dev is for --how logistic; the plain mean learns nothing."
        )
    if dev and len(dev) != len(scores):
        raise UsageError(
            f"found {len(scores)} systems and {len(dev)} dev score files: give --dev once for each "
            "system, in the same order."
        )
    labelled, elsewhere = read_split(data, split), other_trials(data, split)
    files = [read_one(file, higher) for file in scores]
    own = np.stack([file.of(labelled.trials, elsewhere=elsewhere) for file in files])
    fusion = mean_fusion(len(files))
    if dev:
        trials, others = read_split(data, dev_split).trials, other_trials(data, dev_split)
        learned = np.stack([read_one(file, higher).of(trials, elsewhere=others) for file in dev])
        fusion = logistic_fusion(learned, np.array([t.is_spoof for t in trials]))
    fused = fusion(own)
    together = ScoreFile(
        name=f"fused ({how})",
        higher="spoof",
        scores={t.file: float(s) for t, s in zip(labelled.trials, fused, strict=True)},
    )
    settings = settings_of(data, split, by, asv, asv_metadata, resamples)
    judged = [
        evaluate_scores(file, labelled, settings=settings, elsewhere=elsewhere)
        for file in (*files, together)
    ]
    if save is not None:
        write_scores(save, labelled.trials, fused)
        typer.echo(f"written: {save}", err=True)
    show(judged, out=out, as_json=as_json)
    if not as_json:
        parts = ", ".join(
            f"{weight:.4g} x {file.name}"
            for weight, file in zip(fusion.weights, scores, strict=True)
        )
        typer.echo(f"fused = {parts}, {fusion.offset:+.4g} (higher = spoof)")
