"""What a finished corpus holds: protocols, metadata and corpus.json, written last and at once."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from earlet.errors import CorpusError
from earlet.protocol import SPLITS
from earlet_train.corpus.engine import Engine
from earlet_train.corpus.make import Made, Row
from earlet_train.corpus.packages import PACKAGES
from earlet_train.corpus.voices import LEFT_OUT

SCHEMA = "earlet-corpus-1"
FILE = "corpus.json"
_SUFFIX = {"train": "train.trn.txt", "dev": "dev.trl.txt", "eval": "eval.trl.txt"}


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """corpus.json. `counts`: split -> system (`-` bona fide) -> files; `hours` by split.

    `splits_of_systems` says where each attack belongs; `packages` name version, sha256, licence.
    """

    schema: str
    size: str
    seed: int
    earlet: str
    counts: dict[str, dict[str, int]]
    hours: dict[str, float]
    systems: dict[str, dict[str, object]]
    packages: dict[str, dict[str, str]]
    left_out: dict[str, str]


def write_inventory(
    out: Path,
    *,
    size: str,
    seed: int,
    version: str,
    made: Sequence[Made],
    packages: Sequence[str],
    engines: Mapping[str, Engine],
    left_out: Mapping[str, str],
) -> Inventory:
    """Write all tables beside and rename; corpus.json comes last: with it a corpus is finished."""
    rows = {
        split: [m.row for m in made if m.item.split == split and m.row is not None]
        for split in SPLITS
    }
    for split in SPLITS:
        own = sorted(rows[split], key=lambda row: row.file)
        protocol = "".join(f"{r.speaker} {r.file} - {r.system} {r.key}\n" for r in own)
        write_beside(out / "earlet_cm_protocols" / f"earlet.cm.{_SUFFIX[split]}", protocol)
        write_beside(out / "earlet_metadata" / f"{split}.csv", _table(own))
    inventory = Inventory(
        schema=SCHEMA,
        size=size,
        seed=seed,
        earlet=version,
        counts={s: dict(sorted(Counter(r.system for r in rows[s]).items())) for s in SPLITS},
        hours={s: round(sum(r.duration_s for r in rows[s]) / 3600, 4) for s in SPLITS},
        systems={
            name: {
                "name": engine.name,
                "family": engine.family,
                "method": engine.method,
                "splits": list(engine.splits),
            }
            for name, engine in sorted(engines.items())
        },
        packages={
            name: {
                "version": PACKAGES[name].version,
                "sha256": PACKAGES[name].sha256,
                "licence": PACKAGES[name].licence,
            }
            for name in packages
        },
        left_out={**LEFT_OUT, **left_out},
    )
    write_beside(out / FILE, json.dumps(asdict(inventory), indent=1, ensure_ascii=False) + "\n")
    return inventory


def read_inventory(out: Path) -> Inventory | None:
    """The corpus.json of this folder, None where there is none. Raises CorpusError."""
    file = out / FILE
    if not file.is_file():
        return None
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        if entry.get("schema") != SCHEMA:
            raise CorpusError(
                f"{file} has the schema {entry.get('schema')!r}, expected {SCHEMA!r}: it was "
                "written by another version of earlet; build the corpus anew."
            )
        return Inventory(**entry)
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{file} cannot be read ({error}); build the corpus anew.") from error


def read_metadata(out: Path, split: str) -> dict[str, Row]:
    """File -> what is known of it; empty where the tree has no metadata. Raises CorpusError."""
    file = out / "earlet_metadata" / f"{split}.csv"
    if not file.is_file():
        return {}
    found = {}
    with file.open(encoding="utf-8", newline="") as stream:
        for number, entry in enumerate(csv.DictReader(stream), start=2):
            try:
                found[entry["file"]] = Row(
                    **{**entry, "duration_s": float(entry["duration_s"])}  # type: ignore[arg-type]
                )
            except (KeyError, TypeError, ValueError) as error:
                raise CorpusError(
                    f"{file}, line {number} cannot be read ({error}); build the corpus anew."
                ) from error
    return found


def write_beside(file: Path, text: str) -> None:
    """Write a text file so that it is either the old one or the whole new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def _table(rows: Sequence[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [f.name for f in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return stream.getvalue()
