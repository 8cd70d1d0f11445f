"""Reads long recordings with labelled stretches: a folder of sound files and one table.

`segments.csv` (or `.tsv`, with tabs) is UTF-8, one header row, then a row for each stretch:

    file,start_s,end_s,label,speaker,system
    call_01.flac,0.0,301.2,bonafide,KDE_fr,-
    call_01.flac,301.2,600.0,spoof,KDE_fr,A05

The first four columns are needed; `speaker` and `system` may be missing, and other columns are not
read. Paths are relative to the table's folder. Stretches of one file do not overlap; what no row
covers is nobody's. A recording in which nothing is sought still has a row that says what it is.
"""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from earlet.errors import CorpusError

TABLES = ("segments.csv", "segments.tsv")
NEEDED = ("file", "start_s", "end_s", "label")
COLUMNS = (*NEEDED, "speaker", "system")
NOBODY = "-"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of one recording and what it is."""

    start_s: float
    end_s: float
    label: str
    speaker: str = NOBODY
    system: str = NOBODY


@dataclass(frozen=True, kw_only=True)
class LongRecording:
    """A sound file and its stretches, in order of time."""

    name: str
    path: Path
    segments: tuple[Segment, ...]

    @property
    def speaker(self) -> str:
        """Whom it begins with; the file itself where nobody is named."""
        return self.segments[0].speaker if self.segments[0].speaker != NOBODY else self.name

    def sought(self, label: str) -> tuple[Segment, ...]:
        """The stretches of that label."""
        return tuple(s for s in self.segments if s.label == label)


def read_segments(root: Path) -> list[LongRecording]:
    """All recordings of a folder, in the order of its table (or name the table itself).

    Raises CorpusError on a table that is missing or says what cannot be. Audio is not read, but a
    file that is not there is refused.
    """
    table = root if root.is_file() else _table_in(root)
    rows: dict[str, list[Segment]] = {}
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            delimiter = "\t" if table.suffix == ".tsv" else ","
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            header = next(reader, [])
            _check_header(table, header)
            for cells in reader:
                if cells:
                    name, segment = _row(table, reader.line_num, header, cells)
                    rows.setdefault(name, []).append(segment)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{table} is not a table of text ({error}).") from None
    if not rows:
        raise CorpusError(f"{table} lists no stretch. Give it a row for each: {','.join(NEEDED)}")
    return [_recording(table, name, segments) for name, segments in rows.items()]


def segments_csv(recordings: Sequence[LongRecording]) -> str:
    """The text that `read_segments` reads."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for one in recordings:
        for s in one.segments:
            table.writerow([one.name, s.start_s, s.end_s, s.label, s.speaker, s.system])
    return text.getvalue()


def _table_in(root: Path) -> Path:
    found = [root / name for name in TABLES if (root / name).is_file()]
    if len(found) != 1:
        raise CorpusError(
            f"{root} holds {len(found)} of {' and '.join(TABLES)}, expected one: a row for each "
            f"stretch, {','.join(NEEDED)}. Mix such recordings with: earlet corpus long CORPUS "
            f"--out {root}"
        )
    return found[0]


def _check_header(table: Path, header: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing or len(set(header)) != len(header):
        raise CorpusError(
            f"{table}, row 1: the columns are {', '.join(header) or 'none'}; expected "
            f"{', '.join(NEEDED)}, each once."
        )


def _row(
    table: Path, number: int, header: Sequence[str], cells: Sequence[str]
) -> tuple[str, Segment]:
    where = f"{table}, row {number}"
    if len(cells) != len(header):
        raise CorpusError(f"{where}: found {len(cells)} columns, expected {len(header)}.")
    said = dict(zip(header, cells, strict=True))
    times = []
    for column in ("start_s", "end_s"):
        try:
            times.append(float(said[column]))
        except ValueError:
            raise CorpusError(f"{where}: {column} is {said[column]!r}, no number.") from None
    start_s, end_s = times
    if not (0 <= start_s < end_s and math.isfinite(end_s)):
        raise CorpusError(f"{where}: a stretch from {start_s} to {end_s} s cannot be.")
    if not (said["file"] and said["label"]):
        raise CorpusError(f"{where}: the cell 'file' or 'label' is empty.")
    return said["file"], Segment(
        start_s=start_s,
        end_s=end_s,
        label=said["label"],
        speaker=said.get("speaker") or NOBODY,
        system=said.get("system") or NOBODY,
    )


def _recording(table: Path, name: str, segments: Sequence[Segment]) -> LongRecording:
    path = table.parent / name
    if not path.is_file():
        raise CorpusError(f"{table} lists {name!r}, and there is no file {path}.")
    ordered = sorted(segments, key=lambda s: s.start_s)
    for before, after in pairwise(ordered):
        if after.start_s < before.end_s:
            raise CorpusError(
                f"{table}: the stretches of {name!r} overlap: {before.start_s} to {before.end_s} s "
                f"and {after.start_s} to {after.end_s} s."
            )
    return LongRecording(name=name, path=path, segments=tuple(ordered))
