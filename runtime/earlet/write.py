"""Writes a bundle so that it is there whole or not at all.

Everything goes into a hidden folder beside the target, on the same disk; is flushed; is checked as
a stranger would check it; and then takes the target's name. Whatever fails before that leaves the
target as it was and nothing beside it.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from earlet.bundle import Bundle
from earlet.errors import ParityError, UsageError
from earlet.replay import replay
from earlet.replay_stream import replay_stream


def refuse_existing(out: Path, *, replace: bool) -> None:
    """Raise UsageError where `out` is there already and is not to be replaced. Call it early."""
    if (out.exists() or out.is_symlink()) and not replace:
        raise UsageError(f"{out} exists already. Choose another name, or replace it with --force.")
    if out.exists() and not _is_bundle_or_empty(out):
        raise UsageError(
            f"{out} is there and is not a bundle, so --force does not replace it. "
            "Choose another name."
        )


def write_bundle(
    out: Path,
    files: Mapping[str, bytes],
    *,
    replace: bool = False,
    check: Callable[[Path], None],
) -> None:
    """Write `files` (name -> bytes) as the folder `out`; `check` sees it before it gets its name.

    Raises UsageError where `out` exists (unless `replace`) or the disk does not take it, and
    whatever `check` raises.
    """
    refuse_existing(out, replace=replace)
    out = out.absolute()
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
            for name, content in files.items():
                _write(partial / name, content)
            _flush(partial)
        except OSError as error:
            raise _refused(out, sum(map(len, files.values())), error) from error
        check(partial)
        try:
            _take_place(partial, out)
        except OSError as error:
            raise _refused(out, sum(map(len, files.values())), error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _take_place(partial: Path, out: Path) -> None:
    """Rename; an old bundle steps aside first and comes back should the rename fail."""
    if not out.exists():
        partial.rename(out)
        _flush(out.parent)
        return
    aside = out.with_name(f".{out.name}.{os.getpid()}.old")
    out.rename(aside)
    try:
        partial.rename(out)
    except OSError:
        aside.rename(out)
        raise
    _flush(out.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """The folder's own list of names, too. Some file systems cannot, and need not."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_bundle_or_empty(out: Path) -> bool:
    return out.is_dir() and ((out / "manifest.json").is_file() or not any(out.iterdir()))


def _refused(out: Path, size_bytes: int, error: OSError) -> UsageError:
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        reason = f"there is no room for it ({size_bytes / 1e6:.1f} MB are needed)"
        remedy = "Free some space, or choose another disk with --out."
    else:
        is_file = isinstance(error, (FileExistsError, NotADirectoryError))
        reason = f"{out.parent} is no folder" if is_file else error.strerror or str(error)
        remedy = "Choose a folder that can be written with --out."
    return UsageError(f"the bundle {out} was not written: {reason}. Nothing was left. {remedy}")


def check_written(folder: Path) -> None:
    """The finished folder, as a stranger's runtime sees it. Raises BundleError, ParityError."""
    bundle = Bundle.open(folder)
    bundle.check_files()
    for precision in bundle.precisions:
        replayed = replay(bundle, precision)
        if not replayed.ok:
            raise ParityError(
                f"the written {precision} graph answers the golden signal "
                f"{replayed.worst_signal!r} {replayed.max_abs_logit:.3g} away from the original, "
                f"and {replayed.tolerance:.3g} is allowed. No bundle was written. This is a fault "
                "of earlet: please report it."
            )
        streamed = replay_stream(bundle, precision)
        if streamed is not None and not streamed.ok:
            raise ParityError(
                f"the written {precision} stream is {streamed.max_abs_logit:.3g} away from the "
                f"windows of the golden signals, and {streamed.tolerance:.3g} is allowed. No "
                "bundle was written. This is a fault of earlet: please report it."
            )
