"""The verb `earlet evaluate`: how well a detector tells recordings apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earlet.errors import UsageError
from earlet_bench.evaluation.options import (
    AsJson,
    Asv,
    AsvMetadata,
    By,
    Data,
    Higher,
    Label,
    Out,
    Resamples,
    Split,
    check_extra,
    read_one,
    settings_of,
    show,
)

if TYPE_CHECKING:
    from earlet.labelled import LabelledSet
    from earlet_bench.evaluation.binary import Settings
    from earlet_bench.evaluation.evaluation import Judged
    from earlet_bench.evaluation.subject import Subject


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
        typer.Option("--skip-bad", help="Leave out recordings that cannot be used, and say so."),
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

    check_extra(pictures=out is not None)
    # What can be refused is refused now, not after minutes of listening.
    if out is not None:
        check_folder(out)
    if scores is not None and not scores.parent.is_dir():
        raise UsageError(f"there is no folder {scores.parent} for {scores.name}: make it first.")
    if is_score_file(what):
        for given, option in ((limit, "--limit"), (precision, "--precision"), (scores, "--scores")):
            if given:
                raise UsageError(f"{option} is for detectors, and {what} is a file of scores.")
        settings = settings_of(data, split, by, asv, asv_metadata, resamples)
        judged = [_judge_file(Path(what), data, split, higher, threshold, settings)]
        show(judged, out=out, as_json=as_json)
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
    settings = settings_of(data, split, by, asv, asv_metadata, resamples)
    labelled, judged = _usable(labelled, found, skip_bad=skip_bad), []
    with on_stderr() as progress:
        for subject in found:
            progress.stage(f"{subject.name}, {subject.precision}", len(labelled.trials))
            judged.append(
                evaluate_subject(
                    subject,
                    labelled,
                    settings=settings,
                    on_trial=progress.step,
                )
            )
    if scores is not None:
        if judged[0].evaluation.binary is None:
            raise UsageError("--scores writes scores of spoofed speech; this detector has classes.")
        write_scores(scores, judged[0].trials, judged[0].scores)
        typer.echo(f"written: {scores}", err=True)
    show(judged, out=out, as_json=as_json)


def _usable(
    labelled: "LabelledSet", subjects: "Sequence[Subject]", *, skip_bad: bool
) -> "LabelledSet":
    """The recordings that all can judge; others are refused, or left out and named on stderr."""
    from earlet.bad_recordings import Need, left_out
    from earlet_bench.evaluation.evaluation import check_labels
    from earlet_bench.progress import on_stderr

    for subject in subjects:
        check_labels(subject, labelled)
    needs = dict.fromkeys(Need.of(s.window, sample_rate_hz=s.sample_rate_hz) for s in subjects)
    with on_stderr() as progress:
        progress.stage("looking at recordings", len(labelled.trials) * len(needs))
        usable = labelled.usable(*needs, skip_bad=skip_bad, on_trial=progress.step)
    if usable.left_out:
        typer.echo(left_out(usable.left_out, of=len(labelled.trials)), err=True)
    return usable


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
        read_one(file, higher),
        read_split(data, split),
        settings=settings,
        elsewhere=other_trials(data, split),
        threshold=threshold,
    )
