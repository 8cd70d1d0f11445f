"""Reads the lists that datasets are published with, and names the row that does not fit."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet.errors import CorpusError


@dataclass(frozen=True, kw_only=True)
class Listing:
    """How a list is laid out. `separator` None: any run of spaces.

    `headed`: the first row names the columns, which may then come in any order and with others
    between. `example`: a row as published.
    """

    columns: tuple[str, ...]
    separator: str | None
    headed: bool
    example: str

    def __str__(self) -> str:
        head = "a header with the columns" if self.headed else f"{len(self.columns)} columns"
        apart = {None: "spaces", ",": "commas", "\t": "tabs", ";": "semicolons"}[self.separator]
        return f"{head} {' '.join(self.columns)}, separated by {apart}, as in: {self.example}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row: `number` counts the file's lines from 1, a header included."""

    file: Path
    number: int
    names: Sequence[str]
    cells: Sequence[str]
    listing: Listing

    def __getitem__(self, column: str) -> str:
        return self.cells[self.names.index(column)]

    def fault(self, found: str) -> CorpusError:
        """The refusal of this row."""
        return CorpusError(
            f"{self.file}, row {self.number}: {found}. Expected {self.listing}\nThe row reads: "
            f"{(self.listing.separator or ' ').join(self.cells)!r}"
        )

    def one_of(self, column: str, allowed: Sequence[str]) -> str:
        """The cell, which must be one of these. Raises CorpusError."""
        if self[column] not in allowed:
            raise self.fault(f"{column} {self[column]!r} is none of {', '.join(allowed)}")
        return self[column]


def read_rows(file: Path, listing: Listing) -> Iterator[Row]:
    """The rows of a list, empty ones skipped. Raises CorpusError with file and row number."""
    if not file.is_file():
        raise CorpusError(f"{file} is missing; expected a list with {listing}")
    names: Sequence[str] = () if listing.headed else listing.columns
    empty = True
    for number, cells in _lines(file, listing.separator):
        row = Row(file=file, number=number, names=names, cells=cells, listing=listing)
        if not names:
            absent = [column for column in listing.columns if column not in cells]
            if absent or len(set(cells)) != len(cells):
                raise row.fault(
                    f"the header has no column {absent[0]!r}"
                    if absent
                    else "a column is there twice"
                )
            names = cells
            continue
        if len(cells) != len(names):
            raise row.fault(f"found {len(cells)} columns, expected {len(names)}")
        blank = next((c for c in listing.columns if not row[c].strip()), None)
        if blank is not None:
            raise row.fault(f"the cell {blank!r} is empty")
        empty = False
        yield row
    if empty:
        raise CorpusError(f"{file} lists no recording; expected {listing}")


def _lines(file: Path, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of every line that is not empty; a leading byte-order mark is dropped."""
    try:
        with file.open(encoding="utf-8-sig", newline=None if separator is None else "") as stream:
            if separator is None:
                for number, line in enumerate(stream, start=1):
                    if line.strip():
                        yield number, line.split()
                return
            reader = csv.reader(stream, delimiter=separator, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{file} is no list in UTF-8 text ({error}).") from None
