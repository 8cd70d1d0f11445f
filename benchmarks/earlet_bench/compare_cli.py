"""The verb `earlet compare`: two detectors side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earlet.errors import UsageError

if TYPE_CHECKING:
    from earlet.labelled import LabelledSet
    from earlet_bench.compare_sides import Side


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="Bundle folder, shipped name or .onnx file; BUNDLE:int8 for one of its graphs.",
        ),
    ],
    b: Annotated[
        str | None,
        typer.Argument(metavar="B", help="The other one [default: A's own int8 beside its fp32]."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="CORPUS", help="Labelled corpus: decisions and error rates too."),
    ] = None,
    split: Annotated[str, typer.Option(help="Its split: train, dev or eval.")] = "eval",
    limit: Annotated[
        int | None, typer.Option(help="At most that many recordings, drawn by attack.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of that draw.")] = 0,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out recordings that cannot be used, and say so."),
    ] = False,
    precision: Annotated[
        str | None, typer.Option(help="Graph of each bundle that names none [default: its own].")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of one inference.", min=1)] = 1,
    rounds: Annotated[int, typer.Option(help="Rounds of the latency run.", min=1)] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")
    ] = False,
) -> None:
    """Compare two detectors: logits, order, decisions, error rates, size, speed.

    Any two: bundles, the graphs of one bundle, or lone ONNX files. A file without earlet's
    manifest is understood as the other one is, and what had to be assumed is printed. Where rate,
    window or labels differ, what has no common meaning is left out, and that is said.

    The difference of the error rates has an interval of its own, from the same resamples of both:
    two overlapping intervals do not mean that there is no difference. Exit code 1 where a detector
    answers with numbers that are not finite.

    \b
    Example:
        earlet compare bundle                              its int8 against its fp32
        earlet compare old new --data corpus               which one errs less?
        earlet compare bundle:int8 other.onnx --json
    """  # noqa: D301
    from earlet.manifest import canonical_json
    from earlet_bench.compare import compare_sides
    from earlet_bench.compare_sides import two_sides
    from earlet_bench.compare_words import lines_of, record_of
    from earlet_bench.latency import Budget
    from earlet_bench.progress import on_stderr

    if limit is not None and data is None:
        raise UsageError("--limit says how much of a corpus to hear: give the corpus with --data")
    first, second = two_sides(a, b, precision=precision, threads=threads)
    labelled = None
    if data is not None:
        labelled = _hear(
            data, (first, second), split=split, limit=limit, seed=seed, skip_bad=skip_bad
        )
    with on_stderr() as progress:
        found = compare_sides(
            first,
            second,
            labelled=labelled,
            budget=Budget(rounds=rounds, seconds=5),
            progress=progress,
        )
    if as_json:
        typer.echo(canonical_json(record_of(found)), nl=False)
    else:
        for line in lines_of(found):
            typer.echo(line)
    if found.broken:
        raise typer.Exit(1)


def _hear(
    data: Path,
    sides: "tuple[Side, Side]",
    *,
    split: str,
    limit: int | None,
    seed: int,
    skip_bad: bool,
) -> "LabelledSet":
    """The recordings that both can judge; where they hear different rates, all of them unheard."""
    from earlet.bad_recordings import Need, left_out
    from earlet.labelled import read_labelled
    from earlet_bench.progress import on_stderr

    labelled = read_labelled(data, limit=limit, seed=seed, split=split)
    subjects = [side.subject for side in sides]
    if len({subject.sample_rate_hz for subject in subjects}) > 1:
        # Compared they will not be: the comparison says why.
        return labelled
    needs = dict.fromkeys(Need.of(s.window, sample_rate_hz=s.sample_rate_hz) for s in subjects)
    with on_stderr() as progress:
        progress.stage("looking at recordings", len(labelled.trials) * len(needs))
        usable = labelled.usable(*needs, skip_bad=skip_bad, on_trial=progress.step)
    if usable.left_out:
        typer.echo(left_out(usable.left_out, of=len(labelled.trials)), err=True)
    return usable
