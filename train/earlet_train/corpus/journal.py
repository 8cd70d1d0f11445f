"""Remembers which files are made while a corpus is built, so that a build can be taken up again."""

import fcntl
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from earlet.errors import CorpusError
from earlet_train.corpus.make import Made, Row, audio_file
from earlet_train.corpus.plan import Item

FILE = ".build.jsonl"


class Journal:
    """One line for each file made (or given up), written as soon as the file is in its place."""

    def __init__(self, *, out: Path) -> None:
        self._out = out
        self._file = out / FILE
        self._stream = self._file.open("a", encoding="utf-8")
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._stream.close()
            raise CorpusError(
                f"another build is at work in {out}: wait for it, or choose another folder."
            ) from error

    @classmethod
    def open(cls, out: Path, *, fingerprint: str) -> Self:
        """The journal of this folder. Raises CorpusError where another plan was begun there."""
        file = out / FILE
        if file.is_file():
            with file.open(encoding="utf-8") as stream:
                first = stream.readline().strip()
            if first != fingerprint:
                raise CorpusError(
                    f"{out} holds the beginning of another corpus (other size, seed, packages or "
                    "version): delete that folder or choose another."
                )
        else:
            out.mkdir(parents=True, exist_ok=True)
            if any(out.glob("earlet_*/flac/*.flac")):
                raise CorpusError(
                    f"{out} holds recordings that no unfinished build explains: choose an empty "
                    "folder."
                )
            file.write_text(fingerprint + "\n", encoding="utf-8")
        return cls(out=out)

    def read(self, items: Mapping[str, Item]) -> list[Made]:
        """What was made before; lines that an interruption cut, and files since lost, are not."""
        found = []
        for line in self._file.read_text(encoding="utf-8").splitlines()[1:]:
            try:
                entry = json.loads(line)
                item = items[entry["file"]]
                row = None if entry["row"] is None else Row(**entry["row"])
            except (ValueError, KeyError, TypeError):
                continue
            path = audio_file(self._out, split=item.split, file=item.file)
            if row is None or path.is_file():
                found.append(Made(item=item, row=row, reason=entry["reason"]))
        return found

    def write(self, made: Made) -> None:
        """Add one outcome."""
        row = None if made.row is None else asdict(made.row)
        entry = {"file": made.item.file, "row": row, "reason": made.reason}
        # The newline comes first: a line that an interruption cut never swallows the next one.
        self._stream.write("\n" + json.dumps(entry, ensure_ascii=False))
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
