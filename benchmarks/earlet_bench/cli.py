"""The verb `earlet bench`: measure detectors on this machine, keep the rows, print the table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earlet.errors import MissingExtra, ParityError, UsageError

if TYPE_CHECKING:
    from earlet.bundle import Bundle
    from earlet.labelled import LabelledSet
    from earlet_bench.measure import Plan
    from earlet_bench.rows import Row


def bench(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE...",
            help="Bundle folders, or names of shipped detectors; `default` is the shipped default.",
        ),
    ],
    original: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="The training run of the first bundle: measures the PyTorch original beside it.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="CORPUS",
            help="Labelled corpus: adds error rates on its eval split. With --stream, any "
            "recording or folder of recordings, to be heard.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(help="Score a drawn part of the corpus, each attack in its share.", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn.")] = 0,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave out recordings that cannot be used, and say so."),
    ] = False,
    threads: Annotated[int, typer.Option(help="Threads of one inference.", min=1)] = 1,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help="Try 1, 2, 4 ... threads and recommend what suits this board."
        ),
    ] = False,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Measure streams instead: equality with the windows, cost beside them, memory, "
            "64 at once.",
        ),
    ] = False,
    soak: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            help="With --stream: as much fresh sound, as fast as it goes; memory and drift.",
            min=0.1,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of the latency run.", min=1)] = 200,
    seconds: Annotated[
        float, typer.Option(help="Stop the latency run earlier, but not before 30 rounds.", min=0.1)
    ] = 10.0,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where rows are kept: one JSON per kind of machine, appended. Without it "
            "benchmarks/results in a checkout of earlet, else ./results.",
        ),
    ] = None,
    no_save: Annotated[bool, typer.Option("--no-save", help="Keep no rows.")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw latency beside error as a PNG.")
    ] = None,
    attacks: Annotated[
        bool, typer.Option("--attacks", help="Also print the error rate of each attack.")
    ] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table as Markdown, to paste.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the rows as JSON on stdout, nothing else.")
    ] = False,
) -> None:
    """Measure detectors on this machine: speed, memory, and whether the answers are still right.

    No latency stands alone: first each graph replays the golden signals and is compared with what
    its PyTorch original answered. A graph that answers something else fails the benchmark (exit
    code 1), and its row says so.

    Then one window is timed on every graph, round by round side by side, because on a machine that
    does other things too only the ratios of one run mean much. Then fresh processes are started,
    to see what imports, loading and memory cost. With --data, error rates on people and attacks
    that training knew, and on others, with 95 % intervals.

    \b
    Example:
        earlet bench bundle                          latency, memory, parity
        earlet bench bundle default --data corpus    two detectors, with error rates
        earlet bench bundle --original run           the PyTorch original beside its graphs
        earlet bench default --sweep                 which precision, how many threads here?
        earlet bench bundle --stream --data corpus --soak 10
    """  # noqa: D301
    if soak is not None and not stream:
        raise UsageError("--soak says how long a stream is soaked: ask for streams with --stream")
    if stream:
        asked = {
            "--original": original is not None,
            "--limit": limit is not None,
            "--skip-bad": skip_bad,
            "--threads": threads != 1,
            "--sweep": sweep,
            "--picture": picture is not None,
            "--attacks": attacks,
        }
        if strange := [name for name, given in asked.items() if given]:
            raise UsageError(f"{strange[0]} has no meaning with --stream: leave one of them out")
        from earlet_bench.latency import Budget
        from earlet_bench.results import default_folder
        from earlet_bench.stream_cli import bench_streams

        bench_streams(
            bundles,
            data=data,
            budget=Budget(rounds=rounds, seconds=seconds),
            soak_min=soak or 0.0,
            seed=seed,
            results=None if no_save else results or default_folder(),
            as_markdown=as_markdown,
            as_json=as_json,
        )
        return
    from earlet_bench.device import this_device
    from earlet_bench.measure import measure_bundle
    from earlet_bench.progress import on_stderr
    from earlet_bench.results import append_rows, check_writable, default_folder

    device = this_device()
    folder = results or default_folder()
    # What can be refused is refused now, not after minutes of measuring.
    if not no_save:
        check_writable(folder, device.slug)
    if picture is not None:
        _check_picture(picture)
    opened = [_find(name) for name in bundles]
    plan = _plan(
        threads=_sweep(device.cores) if sweep else (threads,),
        rounds=rounds,
        seconds=seconds,
        data=data,
        limit=limit,
        seed=seed,
        original=original,
    )
    if plan.labelled is not None:
        plan = replace(plan, labelled=_usable(plan.labelled, opened, skip_bad=skip_bad))
    rows = []
    with on_stderr() as progress:
        for number, bundle in enumerate(opened):
            mine = plan if number == 0 else replace(plan, original=None)
            rows += measure_bundle(bundle, plan=mine, device=device, progress=progress)
    kept = None if no_save else append_rows(folder, rows)
    if picture is not None:
        from earlet_bench.picture import draw

        draw(rows, picture)
    _show(rows, as_json=as_json, as_markdown=as_markdown, with_attacks=attacks, recommend=sweep)
    for what in (kept, picture):
        if what is not None:
            typer.echo(f"written: {what}", err=True)
    failed = [row for row in rows if not row.parity.passed]
    if failed:
        names = ", ".join(f"{row.bundle} {row.precision}" for row in failed)
        raise ParityError(
            f"the golden replay failed for {names}: on this machine it does not answer what its "
            "original answered. Do not use it here; `earlet verify` shows by how much"
        )


def _show(
    rows: "Sequence[Row]", *, as_json: bool, as_markdown: bool, with_attacks: bool, recommend: bool
) -> None:
    """Rows -> stdout."""
    from earlet_bench.recommend import recommendations
    from earlet_bench.results import rows_json
    from earlet_bench.table import attack_lines, markdown, table_lines

    if as_json:
        typer.echo(rows_json(rows), nl=False)
        return
    if as_markdown:
        typer.echo(markdown(rows), nl=False)
    else:
        colours: dict[str, dict[str, Any]] = {
            "head": {"bold": True},
            "bundle": {"bold": True, "fg": "cyan"},
            "failed": {"fg": "red"},
            "note": {"dim": True},
        }
        lines = [*table_lines(rows), *(attack_lines(rows) if with_attacks else [])]
        for line in lines:
            typer.secho(line.text, **colours.get(line.kind, {}))
    if recommend:
        for advice in recommendations(rows):
            typer.secho(advice, bold=True)


def _usable(
    labelled: "LabelledSet", bundles: "Sequence[Bundle]", *, skip_bad: bool
) -> "LabelledSet":
    """The recordings that all bundles can judge; others are refused, or left out and named."""
    from earlet.bad_recordings import Need, left_out
    from earlet_bench.progress import on_stderr

    labelled.check_spoof_labels()
    manifests = [bundle.manifest for bundle in bundles]
    needs = dict.fromkeys(Need.of(m.window, sample_rate_hz=m.sample_rate_hz) for m in manifests)
    with on_stderr() as progress:
        progress.stage("looking at recordings", len(labelled.trials) * len(needs))
        usable = labelled.usable(*needs, skip_bad=skip_bad, on_trial=progress.step)
    if usable.left_out:
        typer.echo(left_out(usable.left_out, of=len(labelled.trials)), err=True)
        # Leaving recordings out may leave a class out.
        usable.check_spoof_labels()
    return usable


def _find(name: str) -> "Bundle":
    """A bundle folder, a shipped name, or `default`; a lone graph has no golden answers."""
    from earlet.bundle import find

    bundle = find(name)
    bundle.golden()
    return bundle


def _plan(
    *,
    threads: tuple[int, ...],
    rounds: int,
    seconds: float,
    data: Path | None,
    limit: int | None,
    seed: int,
    original: Path | None,
) -> "Plan":
    from earlet.labelled import read_labelled
    from earlet_bench.latency import Budget
    from earlet_bench.measure import Plan

    if limit is not None and data is None:
        raise UsageError("--limit says how much of a corpus to score: give the corpus with --data")
    return Plan(
        threads=threads,
        budget=Budget(rounds=rounds, seconds=seconds),
        labelled=None if data is None else read_labelled(data, limit=limit, seed=seed),
        original=original,
    )


def _sweep(cores: int) -> tuple[int, ...]:
    """1, 2, 4 ... and all of them."""
    powers = {2**n for n in range(cores.bit_length()) if 2**n <= cores}
    return tuple(sorted(powers | {cores}))


def _check_picture(file: Path) -> None:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise MissingExtra(module="matplotlib", extra="bench")
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent} for the picture {file.name}: make it")
