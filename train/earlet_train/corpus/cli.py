"""`earlet corpus build` and `earlet corpus check`: what is typed, shown and returned."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

corpus = typer.Typer(
    name="corpus",
    help="Build a corpus of real and synthetic speech on this machine, or check one.",
    no_args_is_help=True,
)


@corpus.command()
def build(
    out: Annotated[Path, typer.Option(help="Folder of the corpus; a begun one is finished.")],
    size: Annotated[str, typer.Option(help="demo, standard or full.")] = "demo",
    seed: Annotated[int, typer.Option(help="Another seed deals and renders anew.")] = 0,
    jobs: Annotated[int, typer.Option(help="Processes; 0 is one for each core.")] = 0,
    cache: Annotated[
        Path | None,
        typer.Option(help="Where packages are kept; default: earlet in the user's cache folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Data alone on stdout.")] = False,
) -> None:
    """Fetch recordings and synthesizers, and build a labelled corpus of them."""
    from earlet.errors import EarletError
    from earlet_train.corpus.build import Order, build_corpus, default_jobs
    from earlet_train.corpus.show import inventory_tables, progress

    order = Order(size=size, out=out, seed=seed, jobs=jobs or default_jobs(), cache=cache)
    try:
        with progress() as on_stage:
            inventory = build_corpus(order, on_stage=on_stage)
    except EarletError as error:
        _fail(error)
    if as_json:
        typer.echo(json.dumps(asdict(inventory), ensure_ascii=False))
        return
    inventory_tables(inventory)
    typer.echo(f"{out} is complete. Check it with: earlet corpus check {out}")


@corpus.command()
def check(
    root: Annotated[Path, typer.Argument(help="A corpus of earlet, or ASVspoof 2019 LA.")],
    jobs: Annotated[int, typer.Option(help="Processes; 0 is one for each core.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Data alone on stdout.")] = False,
) -> None:
    """Read every file, hold the splits apart, and see that no shortcut tells the classes apart."""
    from earlet.errors import EarletError
    from earlet_train.corpus.build import default_jobs
    from earlet_train.corpus.check import check_corpus
    from earlet_train.corpus.show import check_tables, progress

    try:
        with progress() as on_stage:
            report = check_corpus(root, jobs=jobs or default_jobs(), on_stage=on_stage)
    except EarletError as error:
        _fail(error)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        check_tables(report)
    if not report.passed:
        raise typer.Exit(1)


def _fail(error: Exception) -> None:
    from earlet.errors import EarletError

    typer.echo(f"error: {error}", err=True)
    code = error.exit_code if isinstance(error, EarletError) else 1
    raise typer.Exit(code) from None


if __name__ == "__main__":
    sys.exit(corpus())
