"""The tables and the progress bar that the corpus commands show."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import typer

from earlet_train.corpus.check import CheckReport
from earlet_train.corpus.inventory import Inventory


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage on stderr, with rate and remaining time; a line without a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    if not sys.stderr.isatty():
        named: set[str] = set()

        def name_once(title: str, done: int, total: int) -> None:
            if title not in named:
                named.add(title)
                typer.echo(f"… {title}: {total}", err=True)

        yield name_once
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    first: dict[str, int] = {}
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def on_stage(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bar.add_task(title, total=total, completed=done, rate="")
                first[title] = done
            task = bar.tasks[list(tasks).index(title)]
            elapsed_s = task.elapsed or 0.0
            rate = f"{(done - first[title]) / elapsed_s:.1f}/s" if elapsed_s > 1 else ""
            bar.update(tasks[title], completed=done, total=total, rate=rate)

        yield on_stage


def inventory_tables(inventory: Inventory) -> None:
    """Files of each system in each split, hours, and what was left out, on stdout."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    splits = list(inventory.counts)
    table = Table(title=f"corpus {inventory.size}, seed {inventory.seed}")
    table.add_column("system")
    for split in splits:
        table.add_column(split, justify="right")
    for system in sorted({s for counts in inventory.counts.values() for s in counts}):
        name = inventory.systems.get(system, {}).get("name", "")
        title = "bona fide" if system == "-" else f"{system} {name}"
        table.add_row(title, *(str(inventory.counts[s].get(system, "")) for s in splits))
    table.add_section()
    table.add_row("hours", *(f"{inventory.hours[s]:.2f}" for s in splits))
    console.print(table)
    for what, why in inventory.left_out.items():
        console.print(f"left out: {what}: {why}", highlight=False)


def check_tables(report: CheckReport) -> None:
    """Counts and hours by system and by language, then each check with its finding, on stdout."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for title, tally in (("system", report.by_system), ("language", report.by_language)):
        if tally:
            console.print(_tally_table(title, tally))
    table = Table(title="checks")
    for column in ("check", "", "found"):
        table.add_column(column)
    for finding in report.findings:
        mark = "[green]ok[/]" if finding.passed else "[red]failed[/]"
        table.add_row(finding.check, mark, finding.found)
    console.print(table)


def _tally_table(title: str, tally: Mapping[str, Mapping[str, tuple[int, float]]]) -> "object":
    from rich.table import Table

    splits = list(tally)
    table = Table(title=f"files (hours) by {title}")
    table.add_column(title)
    for split in splits:
        table.add_column(split, justify="right")
    for name in sorted({name for own in tally.values() for name in own}):
        cells = []
        for split in splits:
            files, hours = tally[split].get(name, (0, 0.0))
            cells.append(f"{files} ({hours:.2f})" if files else "")
        table.add_row("bona fide" if name == "-" else name, *cells)
    return table
