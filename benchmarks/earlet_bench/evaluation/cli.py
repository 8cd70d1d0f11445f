"""The verbs `earlet evaluate` and `earlet fuse`: how well a detector, or several together, tell."""

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


class How(StrEnum):
    """How scores are fused."""

    mean = "mean"
    logistic = "logistic"


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
        help="Also by this column of the corpus: codec, compr, environment, ... [default: codec "
        "or compr where there is one].",
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


def evaluate(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="Bundle folder, .onnx file, shipped name, training run, checkpoint, score file.",
        ),
    ],
    data: Data,
    split: Split = "eval",
    precision: Annotated[
        list[str] | None,
        typer.Option(help="Which graph of a bundle, fp32 or int8; again for more [default: all]."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Judge a drawn part, each attack in its share.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of that draw.")] = 0,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out recordings that cannot be judged, and say so."),
    ] = False,
    by: By = None,
    asv: Asv = None,
    asv_metadata: AsvMetadata = None,
    higher: Higher = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Of a score file's decisions, on earlet's scale [default: 0]."),
    ] = None,
    resamples: Resamples = 500,
    threads: Annotated[int, typer.Option(help="Threads of one inference.", min=1)] = 1,
    out: Out = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the scores as an ASVspoof score file (higher = bona fide)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how well a detector tells the recordings of a labelled corpus apart, with intervals.

    Spoofed speech: EER by the ASVspoof definition, Cllr, balanced accuracy, confusion, each attack
    and each codec; min t-DCF of 2019 and of 2021 where a speaker verifier's scores are given (the
    two are not comparable with each other). Other sounds: macro accuracy, recall of each class,
    confusion, mean average precision.

    Sign: earlet's score is high where it finds what it was built to find (spoof); ASVspoof score
    files have high = bona fide and are turned round on reading and writing. An EER above 50 % is
    pointed out: then the file has the other sign, see --higher.

    \b
    Example:
        earlet evaluate bundle --data corpus                     both graphs of a bundle
        earlet evaluate run --data corpus --out report           the PyTorch original
        earlet evaluate scores.txt --data LA --asv asv_scores    a score file, with min t-DCF
    """  # noqa: D301
    from earlet.labelled import read_labelled
    from earlet_bench.evaluation.evaluation import evaluate_subject
    from earlet_bench.evaluation.page import check_folder
    from earlet_bench.evaluation.score_file import write_scores
    from earlet_bench.evaluation.subject import is_score_file, subjects
    from earlet_bench.progress import on_stderr

    _check_extra(pictures=out is not None)
    # What can be refused is refused now, not after minutes of listening.
    if out is not None:
        check_folder(out)
    if scores is not None and not scores.parent.is_dir():
        raise UsageError(f"there is no folder {scores.parent} for {scores.name}: make it first.")
    if is_score_file(what):
        for given, option in ((limit, "--limit"), (precision, "--precision"), (scores, "--scores")):
            if given:
                raise UsageError(f"{option} is for detectors, and {what} is a file of scores.")
        settings = _settings(data, split, by, asv, asv_metadata, resamples)
        judged = [_judge_file(Path(what), data, split, higher, threshold, settings)]
        _show(judged, out=out, as_json=as_json)
        return
    for chosen, option in ((higher, "--higher"), (threshold, "--threshold")):
        if chosen is not None:
            raise UsageError(f"{option} is for score files; {what} knows its own.")
    found = subjects(what, precisions=precision, threads=threads)
    if scores is not None and len(found) > 1:
        raise UsageError(
            f"--scores writes one file, and {what} has the graphs "
            f"{', '.join(s.precision for s in found)}: name one with --precision."
        )
    labelled = read_labelled(data, limit=limit, seed=seed, split=split)
    settings = _settings(data, split, by, asv, asv_metadata, resamples)
    judged = []
    with on_stderr() as progress:
        for subject in found:
            progress.stage(f"{subject.name}, {subject.precision}", len(labelled.trials))
            judged.append(
                evaluate_subject(
                    subject,
                    labelled,
                    settings=settings,
                    skip_bad=skip_bad,
                    on_trial=progress.step,
                )
            )
    if scores is not None:
        if judged[0].evaluation.binary is None:
            raise UsageError("--scores writes scores of spoofed speech; this detector has classes.")
        write_scores(scores, judged[0].trials, judged[0].scores)
        typer.echo(f"written: {scores}", err=True)
    _show(judged, out=out, as_json=as_json)


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
    and an offset, from the dev split only.

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

    _check_extra(pictures=out is not None)
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
    files = [_read(file, higher) for file in scores]
    own = np.stack([file.of(labelled.trials, elsewhere=elsewhere) for file in files])
    fusion = mean_fusion(len(files))
    if dev:
        trials, others = read_split(data, dev_split).trials, other_trials(data, dev_split)
        learned = np.stack([_read(file, higher).of(trials, elsewhere=others) for file in dev])
        fusion = logistic_fusion(learned, np.array([t.is_spoof for t in trials]))
    fused = fusion(own)
    together = ScoreFile(
        name=f"fused ({how})",
        higher="spoof",
        scores={t.file: float(s) for t, s in zip(labelled.trials, fused, strict=True)},
    )
    settings = _settings(data, split, by, asv, asv_metadata, resamples)
    judged = [
        evaluate_scores(file, labelled, settings=settings, elsewhere=elsewhere)
        for file in (*files, together)
    ]
    if save is not None:
        write_scores(save, labelled.trials, fused)
        typer.echo(f"written: {save}", err=True)
    _show(judged, out=out, as_json=as_json)
    if not as_json:
        parts = ", ".join(
            f"{weight:.4g} x {file.name}"
            for weight, file in zip(fusion.weights, scores, strict=True)
        )
        typer.echo(f"fused = {parts}, {fusion.offset:+.4g} (higher = spoof)")


def _judge_file(
    file: Path,
    data: Path,
    split: str,
    higher: Label | None,
    threshold: float | None,
    settings: "Settings",
) -> "Judged":
    from earlet_bench.evaluation.evaluation import evaluate_scores, other_trials, read_split

    return evaluate_scores(
        _read(file, higher),
        read_split(data, split),
        settings=settings,
        elsewhere=other_trials(data, split),
        threshold=threshold,
    )


def _read(file: Path, higher: Label | None) -> "ScoreFile":
    from earlet_bench.evaluation.score_file import read_scores

    return read_scores(file, higher=None if higher is None else higher.value)


def _settings(
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


def _show(judged: "Sequence[Judged]", *, out: Path | None, as_json: bool) -> None:
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


def _check_extra(*, pictures: bool) -> None:
    """Raises MissingExtra, with the extra that `earlet bench` names too."""
    for module in ("sklearn", *(("matplotlib",) if pictures else ())):
        if find_spec(module) is None:
            raise MissingExtra(module=module, extra="bench")
