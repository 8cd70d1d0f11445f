"""Shows how far a measurement is: a bar on a terminal's stderr, nothing anywhere else."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_REDRAW_S = 0.2


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
    """A bar while the block runs, where stderr is a terminal and `rich` is installed.

    It is drawn between two steps and never by a thread beside them: that thread's work would be
    counted to what is being timed.
    """
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
    console = Console(stderr=True)
    with Bars(*columns, console=console, transient=True, auto_refresh=False) as bars:
        task = bars.add_task("starting", total=None)

        class OnTerminal:
            drawn_s = 0.0

            def stage(self, words: str, steps: int) -> None:
                bars.reset(task, description=words, total=steps)
                bars.refresh()

            def step(self) -> None:
                bars.advance(task)
                now_s = time.monotonic()
                if now_s - self.drawn_s > _REDRAW_S:
                    self.drawn_s = now_s
                    bars.refresh()

        yield OnTerminal()
