"""What was listened to, counted: recordings, hours, people, synthesizers, and how it was mixed.

Two JSON files of `earlet corpus` say more than the table of stretches, where they are there:
`calls.json` beside the table, from what the calls were mixed; `corpus.json` in a corpus, what its
systems are called and which of them training data were made with.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earlet.errors import CorpusError
from earlet.segments import NOBODY, LongRecording
from earlet_bench.tuning.hear import seconds_of

CALLS_FILE, CALLS_SCHEMA = "calls.json", "earlet-calls-1"
CORPUS_FILE, CORPUS_SCHEMA = "corpus.json", "earlet-corpus-1"
_TRAIN = "train"


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """How `earlet corpus long` made the recordings. `distinct`: different ones that it played."""

    corpus: str
    split: str
    seed: int
    distinct: int


@dataclass(frozen=True, kw_only=True)
class Material:
    """One folder. `turning`: recordings with something sought in them, `sought_h` in all.

    `people`: who speaks where nothing is sought; 0 where nobody is named, as of `systems`.
    """

    data: str
    recordings: int
    hours: float
    turning: int
    sought_h: float
    people: int
    systems: int
    mixed: Mixed | None


@dataclass(frozen=True, kw_only=True)
class System:
    """A synthesizer of a corpus. `trained`: the train split holds recordings of it."""

    name: str
    trained: bool


def material(
    recordings: Sequence[LongRecording], folder: Path, *, data: str, positive: str
) -> Material:
    """Count what a folder holds. Raises CorpusError on a `calls.json` that cannot be."""
    sought = [s for r in recordings for s in r.sought(positive)]
    rest = [s for r in recordings for s in r.segments if s.label != positive]
    return Material(
        data=data,
        recordings=len(recordings),
        hours=sum(map(seconds_of, recordings)) / 3600,
        turning=sum(bool(r.sought(positive)) for r in recordings),
        sought_h=sum(s.end_s - s.start_s for s in sought) / 3600,
        people=len({s.speaker for s in rest} - {NOBODY}),
        systems=len({s.system for s in sought} - {NOBODY}),
        mixed=_mixed(folder if folder.is_dir() else folder.parent),
    )


def systems_of(corpus: Path) -> Mapping[str, System]:
    """The synthesizers of a corpus that `earlet corpus build` made, by id. Raises CorpusError."""
    file = corpus / CORPUS_FILE
    if not file.is_file():
        raise CorpusError(
            f"{corpus} has no {CORPUS_FILE}, which names the synthesizers of a corpus. Give the "
            "folder that earlet corpus build wrote, or leave --corpus out."
        )
    held = _read(file, schema=CORPUS_SCHEMA)
    try:
        return {
            str(key): System(name=str(value["name"]), trained=key in held["counts"][_TRAIN])
            for key, value in held["systems"].items()
        }
    except (KeyError, TypeError, AttributeError):
        raise _damaged(file, "its systems have no names, or train has no counts") from None


def _mixed(folder: Path) -> Mixed | None:
    file = folder / CALLS_FILE
    if not file.is_file():
        return None
    held = _read(file, schema=CALLS_SCHEMA)
    try:
        return Mixed(
            corpus=str(held["corpus"]),
            split=str(held["split"]),
            seed=int(held["seed"]),
            distinct=int(held["distinct"]),
        )
    except (KeyError, TypeError, ValueError):
        raise _damaged(file, "corpus, split, seed or distinct is missing or no number") from None


def _read(file: Path, *, schema: str) -> dict[str, Any]:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(file, str(error)) from None
    found = held.get("schema") if isinstance(held, dict) else None
    if found != schema:
        raise _damaged(file, f"its schema is {found!r}, expected {schema!r}")
    return dict(held)


def _damaged(file: Path, reason: str) -> CorpusError:
    return CorpusError(
        f"{file} cannot be used: {reason}. Make or copy the folder again, or take that file out of "
        "it: without it less is told, and nothing is judged otherwise."
    )
