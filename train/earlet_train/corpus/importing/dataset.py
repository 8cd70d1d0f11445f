"""What every published dataset is read through: its recordings, labels and splits as published."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from earlet.errors import CorpusError
from earlet.trial import Trial


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One recording, its split, and which row of which list names it (0: none, it was found)."""

    split: str
    trial: Trial
    listing: Path
    row: int

    @property
    def origin(self) -> str:
        """Where it is named, for messages."""
        return f"{self.listing}, row {self.row}" if self.row else str(self.listing)


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """A published dataset, unpacked in the folder `root`; further fields are a kind's options.

    `title` and `layout` are for messages. `rate_hz`: that of every file, None where they differ;
    `one_rate`: whether files of several rates in one dataset are a mistake. `labels`: all there
    are, in their published order, () where the files decide. `nested`: the folders that the
    published archives unpack to, so that `root` may also be their parent.
    """

    root: Path

    title: ClassVar[str]
    layout: ClassVar[str]
    rate_hz: ClassVar[int | None]
    labels: ClassVar[tuple[str, ...]] = ()
    one_rate: ClassVar[bool] = True
    mono: ClassVar[bool] = True
    nested: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Every recording of every split, in the published order. Raises CorpusError."""

    def left_out(self) -> dict[str, str]:
        """What the dataset holds and this reading does not: what -> why."""
        return {}

    def home(self, *probes: str) -> Path:
        """`root` or the nested folder that holds these files. Raises CorpusError."""
        if not self.root.is_dir():
            raise CorpusError(f"there is no folder {self.root}. {self._expected()}")
        places = [self.root, *(self.root / name for name in self.nested)]
        # Of several that fit in part, the one whose first missing file comes last is meant.
        missing = [next((p for p in probes if not (h / p).exists()), None) for h in places]
        for place, first in zip(places, missing, strict=True):
            if first is None:
                return place
        meant = max(range(len(places)), key=lambda i: probes.index(missing[i] or probes[0]))
        raise self.misfit(places[meant] / (missing[meant] or ""), "is missing")

    def misfit(self, file: Path, found: str, *, row: int = 0) -> CorpusError:
        """The refusal of a tree: the first file (and row) that does not fit, and the layout."""
        where = f"{file}, row {row}:" if row else str(file)
        return CorpusError(f"{where} {found}. {self._expected()}")

    def _expected(self) -> str:
        return f"Expected {self.title} as published:\n{self.layout.rstrip()}"


def system_of(key: str, named: str = "-") -> str:
    """The attack's id of a trial with this label, `unnamed` where a dataset does not tell it."""
    if key != "spoof":
        return "-"
    return "unnamed" if named in ("", "-") else named
