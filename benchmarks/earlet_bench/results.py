"""Keeps measured rows: one JSON file per kind of machine, appended by the command, never by hand.

`{"schema": 1, "rows": [...]}`; a row is `earlet_bench.rows.Row` key for key, or, where its own
schema says so, `earlet_bench.stream_rows.StreamRow`. Appending keeps every
earlier row as it stands, also rows of a newer schema that this version cannot read.
"""

import dataclasses
import fcntl
import json
import os
import tempfile
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from earlet.errors import UsageError
from earlet_bench.rows import SCHEMA, Row
from earlet_bench.stream_rows import StreamRow


def append_rows(folder: Path, rows: Sequence[Row] | Sequence[StreamRow]) -> Path:
    """Add rows to the machine's file in `folder` and return that file. Raises UsageError.

    Written beside and renamed; two benchmarks that end together both keep their rows.
    """
    file = results_file(folder, rows[0].device.slug)
    with _alone_in(folder):
        kept = _raw_rows(file)
        text = rows_json([*kept, *map(dataclasses.asdict, rows)])
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=folder, prefix=f".{file.stem}.", delete=False
        ) as beside:
            try:
                beside.write(text)
                beside.flush()
                os.fsync(beside.fileno())
                os.chmod(beside.name, 0o644)
                Path(beside.name).replace(file)
            except BaseException:
                Path(beside.name).unlink(missing_ok=True)
                raise
    return file


def read_rows(file: Path) -> list[Row]:
    """All rows of a results file that this version understands, oldest first. Raises UsageError."""
    return [
        _build(Row, raw, where=f"{file}, row {number}")
        for number, raw in enumerate(_raw_rows(file), start=1)
        if raw.get("schema") == SCHEMA
    ]


def rows_json(rows: Sequence[Row | Mapping[str, Any]]) -> str:
    """Rows -> the text of a results file; no NaN in it, ever."""
    plain = [dataclasses.asdict(row) if isinstance(row, Row) else row for row in rows]
    return (
        json.dumps({"schema": SCHEMA, "rows": plain}, indent=2, ensure_ascii=False, allow_nan=False)
        + "\n"
    )


def results_file(folder: Path, slug: str) -> Path:
    """Where a machine's rows go."""
    return folder / f"{slug}.json"


def default_folder() -> Path:
    """`benchmarks/results` inside a checkout of earlet, else `results` where the user stands."""
    checkout = Path("benchmarks") / "results"
    return checkout if checkout.is_dir() else Path("results")


def check_writable(folder: Path, slug: str) -> None:
    """Raise UsageError now rather than after minutes of measuring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {folder} for results ({error.strerror}). Name another with "
            "--results DIR, or measure without keeping rows: --no-save"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"the folder {folder} cannot be written to. Name another with --results DIR, or "
            "measure without keeping rows: --no-save"
        )
    _raw_rows(results_file(folder, slug))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: reading, adding and renaming happen as one step."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _raw_rows(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        data = json.loads(text)
        rows = data["rows"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise TypeError("'rows' is not a list of objects")
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file} is not a results file of earlet bench ({error}). Expected "
            '{"schema": 1, "rows": [...]}. Move it away, or name another folder with --results DIR'
        ) from None
    return rows


def _build(kind: Any, value: Any, *, where: str) -> Any:
    """JSON value -> an instance of the annotated type, or UsageError naming the place."""
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        # What came later than a row has a default.
        later = {f.name for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
        if not isinstance(value, dict) or not set(hints) - later <= set(value) <= set(hints):
            found = sorted(value) if isinstance(value, dict) else value
            raise _edited(where, f"the keys {sorted(hints)}", found)
        return kind(
            **{k: _build(hints[k], item, where=f"{where}.{k}") for k, item in value.items()}
        )
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        inner = next(a for a in get_args(kind) if a is not type(None))
        return _build(inner, value, where=where)
    if origin is tuple and isinstance(value, list):
        return tuple(_build(get_args(kind)[0], item, where=where) for item in value)
    if origin is Mapping and isinstance(value, dict):
        return {k: _build(get_args(kind)[1], v, where=f"{where}.{k}") for k, v in value.items()}
    if kind is float and type(value) in (int, float):
        return float(value)
    if isinstance(kind, type) and type(value) is kind:
        return value
    raise _edited(where, getattr(kind, "__name__", str(kind)), value)


def _edited(where: str, expected: str, found: object) -> UsageError:
    return UsageError(
        f"{where}: expected {expected}, found {found!r}. Results are written by `earlet bench` "
        "only: take the file from version control again, or measure again"
    )
