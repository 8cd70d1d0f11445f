"""Shows a training run as it goes: bars on a terminal, one plain line per epoch elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from earlet_train.record import Epoch


class RunDisplay:
    """A `Watcher` that writes to standard error, inside a `with`."""

    def __init__(self, *, name: str, epochs: int) -> None:
        self.name, self.epochs = name, epochs
        self.console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.files = self.bars.add_task("reading recordings", total=None)
        self.batch = self.bars.add_task("", total=None, visible=False)

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bars.stop()

    def reading(self) -> None:
        """One recording was read."""
        self.bars.advance(self.files)

    def left_out(self, words: str) -> None:
        """Which recordings cannot be used, and are left out as asked."""
        self.console.print(words, highlight=False, markup=False, soft_wrap=True)

    def began(self, epoch: int, *, steps: int) -> None:
        """An epoch (from 1) of so many batches begins."""
        self.bars.update(self.files, visible=False)
        self.bars.reset(
            self.batch,
            total=steps,
            visible=True,
            description=f"{self.name}: epoch {epoch} of {self.epochs}",
        )

    def stepped(self, loss: float) -> None:
        """One batch is done."""
        self.bars.advance(self.batch)

    def ended(self, row: Epoch, *, is_best: bool) -> None:
        """An epoch is done and safe on disk."""
        mark = "  best so far" if is_best else ""
        self.console.print(
            f"epoch {row.epoch:3} of {self.epochs}   loss {row.train_loss:.3f}   "
            f"dev loss {row.dev_loss:.3f}   {row.told}   "
            f"{row.seconds:5.1f} s{mark}",
            highlight=False,
            soft_wrap=True,
        )


class StudyDisplay(RunDisplay):
    """The same for many trainings one after another: bars as above, but no line per epoch."""

    def __init__(self) -> None:
        super().__init__(name="", epochs=0)

    def of(self, name: str, *, epochs: int) -> Self:
        """Show another training from now on."""
        self.name, self.epochs = name, epochs
        self.bars.reset(self.files, visible=True)
        self.bars.update(self.batch, visible=False)
        return self

    def say(self, words: str) -> None:
        """One line above the bars, and on whatever else standard error is."""
        self.console.print(f"… {words}", highlight=False, soft_wrap=True)

    def ended(self, row: Epoch, *, is_best: bool) -> None:
        """An epoch is done: the bar shows it."""


class Silence:
    """A `Watcher` that shows nothing: of several processes only one speaks."""

    def reading(self) -> None:
        """One recording was read."""

    def left_out(self, words: str) -> None:
        """Some recordings cannot be used."""

    def began(self, epoch: int, *, steps: int) -> None:
        """An epoch begins."""

    def stepped(self, loss: float) -> None:
        """One batch is done."""

    def ended(self, row: Epoch, *, is_best: bool) -> None:
        """An epoch is done."""


@contextmanager
def counting(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar per stage on a terminal, else nothing: yields `on_progress(stage, done, total)`."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        task = bars.add_task(what, total=None)

        def on_progress(stage: str, done: int, total: int) -> None:
            bars.update(task, description=f"{what}: {stage}", completed=done, total=total)

        yield on_progress
