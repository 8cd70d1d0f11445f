"""Shows how far a measurement is: a bar on a terminal's stderr, nothing anywhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """What the measuring functions tell."""

    def stage(self, words: str, steps: int) -> None:
        """A stage of so many steps begins."""
        ...

    def step(self) -> None:
        """One of them is done."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, words: str, steps: int) -> None:
        """Nothing."""

    def step(self) -> None:
        """Nothing."""


@contextmanager
def on_stderr() -> Iterator[Progress]:
    """A bar while the block runs, where stderr is a terminal and `rich` is installed."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
    except ModuleNotFoundError:
        yield Silent()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)

        class OnTerminal:
            def stage(self, words: str, steps: int) -> None:
                bars.reset(task, description=words, total=steps)

            def step(self) -> None:
                bars.advance(task)

        yield OnTerminal()
