"""A table of one's own: a CSV with a header that names each recording and its label."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from earlet.table import COLUMNS
from earlet.trial import Trial, check_label
from earlet_train.corpus.importing.apart import set_apart
from earlet_train.corpus.importing.dataset import Dataset, Entry, system_of
from earlet_train.corpus.importing.folders import SPLIT_NAMES
from earlet_train.corpus.importing.rows import Listing, Row, read_rows

# The columns with a meaning, and what else they are called.
PATH = ("path", "file", "filename", "fname")
LABEL = ("key", "label", "class", "category")
OPTIONAL = ("split", "speaker", "system", "id")


@dataclass(frozen=True, kw_only=True)
class CsvTable(Dataset):
    """`root` is the CSV (or a folder with one in it); paths start at its folder.

    Columns: `path` and `label`, and if there are `split`, `speaker`, `system`, and `id` (by default
    the path as it is written); all others become extras. Without a column `split`, whole speakers
    are dealt out (`-` or none: each recording stands alone). Separated by commas, semicolons or
    tabs: whichever the header has most of.
    """

    dev_share: float = 0.1
    eval_share: float = 0.2
    seed: int = 0
    title = "a CSV"
    layout = """\
  path,label,split,speaker        (split and speaker may be left out; others become extras)
  audio/one.wav,dog,train,rex"""
    rate_hz = None

    def entries(self) -> Iterator[Entry]:
        """Every row of the table, in its own split or dealt out."""
        file = self._file()
        separator, header = self._header(file)
        path, label = (
            next((name for name in names if name in header), None) for names in (PATH, LABEL)
        )
        if path is None or label is None:
            wanted, names = ("path", PATH) if path is None else ("label", LABEL)
            raise self.misfit(file, f"has no column for the {wanted} ({' or '.join(names)})", row=1)
        example = separator.join(header)
        listing = Listing(columns=(path, label), separator=separator, headed=True, example=example)
        entries = [
            self._entry(row, path, label, base=file.parent) for row in read_rows(file, listing)
        ]
        if "split" in header:
            yield from entries
            return
        shares = {"dev": self.dev_share, "eval": self.eval_share}
        yield from set_apart(entries, of="train", shares=shares, seed=self.seed)

    def _file(self) -> Path:
        if self.root.is_file():
            return self.root
        found = sorted([*self.home().glob("*.csv"), *self.root.glob("*.tsv")])
        if len(found) != 1:
            raise self.misfit(self.root, f"holds {len(found)} tables, expected one: name it")
        return found[0]

    def _header(self, file: Path) -> tuple[str, list[str]]:
        try:
            with file.open(encoding="utf-8-sig") as stream:
                first = stream.readline()
        except UnicodeDecodeError as error:
            raise self.misfit(file, f"is no UTF-8 text ({error})") from None
        separator = max((",", ";", "\t"), key=first.count)
        return separator, [cell.strip().strip('"') for cell in first.split(separator)]

    def _entry(self, row: Row, path: str, label: str, *, base: Path) -> Entry:
        known = {name: row[name] for name in OPTIONAL if name in row.names}
        split = known.get("split", "train")
        if split not in SPLIT_NAMES:
            raise row.fault(f"split {split!r} is none of {', '.join(SPLIT_NAMES)}")
        key = "bonafide" if row[label] == "bona-fide" else row[label]
        named = known.get("system", "")
        system = named if named not in ("", "-") else system_of(key)
        try:
            check_label(key, system)
        except ValueError as error:
            raise row.fault(str(error)) from None
        used = {path, label, *OPTIONAL}
        trial = Trial(
            speaker=known.get("speaker", "") or "-",
            file=known.get("id", "") or row[path],
            system=system,
            key=key,
            path=base / row[path],
            extras={
                # A column of our own tables' name would hide that.
                f"source_{name}" if name in COLUMNS else name: row[name]
                for name in row.names
                if name and name not in used
            },
        )
        return Entry(split=SPLIT_NAMES[split], trial=trial, listing=row.file, row=row.number)
