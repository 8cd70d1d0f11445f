"""One split of a corpus as a table: where each recording lies, its label, and what else is known.

`<SPLIT>.tsv` is UTF-8, one header row, columns separated by tabs, rows by line feeds. A cell that
holds a tab, a quote or a line break stands in double quotes, as in CSV. The first five columns are
always there; any others become a trial's `extras`, empty cells left out:

    file     path                        speaker  system  key       codec  ...
    LA_E_1   /data/flac/LA_E_1.flac      LA_0009  A07     spoof     alaw
    dog/1    audio/dog/1.wav             -        -       dog_bark

A path is absolute, or relative to the table's folder.
"""

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from earlet.errors import CorpusError
from earlet.trial import SPLITS, Trial, check_label

COLUMNS = ("file", "path", "speaker", "system", "key")
# Whatever else is a corpus's own tab-separated text is not taken for a split.
MARK = "corpus.json"


def tables(root: Path) -> dict[str, Path]:
    """Split -> its table, train, dev and eval first; {} for a folder that is no imported corpus."""
    if not (root / MARK).is_file():
        return {}
    found = {file.stem: file for file in sorted(root.glob("*.tsv"))}
    return {split: found[split] for split in (*SPLITS, *found) if split in found}


def read_table(file: Path, *, root: Path) -> list[Trial]:
    """All trials of one table, in its order; relative paths start at `root`. Raises CorpusError."""
    trials: list[Trial] = []
    seen: dict[str, int] = {}
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream, delimiter="\t", strict=True)
            header = next(reader, [])
            _check_header(file, header)
            for cells in reader:
                trial = _trial(file, reader.line_num, header, cells, root=root)
                if trial.file in seen:
                    raise CorpusError(
                        f"{file}, row {reader.line_num}: file {trial.file!r} is listed already in "
                        f"row {seen[trial.file]}."
                    )
                seen[trial.file] = reader.line_num
                trials.append(trial)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(
            f"{file} is no table of earlet ({error}); expected UTF-8 text with tabs between "
            "columns. Import the dataset again."
        ) from None
    if not trials:
        raise CorpusError(f"{file} lists no trial.")
    return trials


def write_table(stream: TextIO, trials: Sequence[Trial]) -> None:
    """Write what `read_table` reads; `stream` is opened with newline=""."""
    extras = list(dict.fromkeys(name for trial in trials for name in trial.extras))
    stream.write(_line([*COLUMNS, *extras]))
    for trial in trials:
        own = (trial.file, trial.path.as_posix(), trial.speaker, trial.system, trial.key)
        stream.write(_line([*own, *(trial.extras.get(name, "") for name in extras)]))


def _line(cells: Sequence[str]) -> str:
    """One row. Python 3.11 quotes those line breaks only that end a row, so it gets both."""
    row = io.StringIO(newline="")
    csv.writer(row, delimiter="\t", lineterminator="\r\n").writerow(cells)
    return row.getvalue().removesuffix("\r\n") + "\n"


def _check_header(file: Path, header: Sequence[str]) -> None:
    if tuple(header[: len(COLUMNS)]) != COLUMNS or len(set(header)) != len(header):
        raise CorpusError(
            f"{file}, row 1: the columns are {', '.join(header) or 'none'}; expected "
            f"{', '.join(COLUMNS)} first, separated by tabs, and no name twice."
        )


def _trial(
    file: Path, number: int, header: Sequence[str], cells: Sequence[str], *, root: Path
) -> Trial:
    if len(cells) != len(header):
        raise CorpusError(
            f"{file}, row {number}: found {len(cells)} columns, expected {len(header)}: "
            f"{', '.join(header)}."
        )
    name, path, speaker, system, key = cells[: len(COLUMNS)]
    if not (name and path):
        raise CorpusError(f"{file}, row {number}: the cell 'file' or 'path' is empty.")
    try:
        check_label(key, system)
    except ValueError as error:
        raise CorpusError(f"{file}, row {number}: {error}.") from None
    # The same few words stand in every row: one copy of each is kept.
    extras = {
        sys.intern(column): sys.intern(cell)
        for column, cell in zip(header[len(COLUMNS) :], cells[len(COLUMNS) :], strict=True)
        if cell
    }
    return Trial(
        speaker=speaker, file=name, system=system, key=key, path=root / path, extras=extras
    )
