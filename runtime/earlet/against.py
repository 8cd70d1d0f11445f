"""Finds whoever can hold a bundle against its original, without knowing PyTorch.

`earlet verify BUNDLE --against ORIGINAL` runs on a development machine and needs torch; the
runtime names no package that does, so the packages that can do it have an entry point.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from earlet.bundle import Bundle
from earlet.errors import MissingExtra

GROUP = "earlet.ladders"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to ask both. `data` None: the corpus that the checkpoint names, where it is found.

    `limit`: at most that many recordings of `split`. `skip_bad`: leave out those that cannot be
    used. `on_step` hears in words what is done.
    """

    precisions: Sequence[str]
    data: Path | None
    split: str
    limit: int
    threads: int
    skip_bad: bool
    on_step: Callable[[str], None]


class Ladder(Protocol):
    """What was found, as words and as data. `broken`: whatever breaks a promise, empty if none."""

    @property
    def broken(self) -> tuple[str, ...]:
        """A sentence each."""
        ...

    def lines(self) -> Sequence[str]:
        """For a reader."""
        ...

    def record(self) -> Mapping[str, Any]:
        """For JSON."""
        ...


Climb = Callable[[Bundle, Path, Plan], Ladder]


def climb_against(bundle: Bundle, original: Path, plan: Plan) -> Ladder:
    """The bundle's own files against a checkpoint or a model that was adopted, at every depth.

    Raises MissingExtra where nothing installed can do it, BundleError on a damaged file, and
    ParityError where a number is not finite.
    """
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    if not found:
        raise MissingExtra(module="torch", extra="train")
    try:
        climb: Climb = found[0].load()
    except ModuleNotFoundError as error:
        raise MissingExtra(module=error.name or "torch", extra="train") from None
    return climb(bundle, original, plan)
