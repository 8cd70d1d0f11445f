"""Writes a file so that a reader sees the old one or the new one, never half of it."""

import os
from collections.abc import Callable
from pathlib import Path


def write_beside(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a neighbour of `path`, then give it that name; on failure leave no trace."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
