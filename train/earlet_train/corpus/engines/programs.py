"""Runs the speech programs of unpacked Debian packages where they lie, without installing them."""

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Samples

logger = logging.getLogger(__name__)

TIMEOUT_S = 60.0

# Shared libraries that the programs need beyond a bare Debian 12. An engine works without those
# that the system has itself, so they are not among its `packages`.
LIBRARIES = (
    *("libespeak-ng1", "libestools2.5", "libflite1", "libsndfile1", "libflac12", "libogg0"),
    *("libvorbis0a", "libvorbisenc2", "libopus0", "libmp3lame0", "libmpg123-0", "libpcaudio0"),
    *("libsonic0", "libasound2", "libpulse0", "libasyncns0", "libdbus-1-3", "libgomp1"),
    *("libtinfo6", "libx11-6", "libx11-xcb1", "libxau6", "libxcb1", "libxdmcp6", "libbsd0"),
    "libmd0",
)


def run_program(
    name: str,
    arguments: Sequence[str],
    *,
    store: Path,
    package: str,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
    standard_input: bytes = b"",
    libraries: Sequence[str] = (),
) -> bytes | None:
    """Standard output of `store/package/usr/bin/name`, or of the system's `name` where it has none.

    `libraries`: packages of shared libraries that it needs beyond `LIBRARIES`. None where the
    program is missing, fails or takes more than a minute: reasons go to the log.
    """
    program = _program(name, store=store, package=package)
    if program is None:
        logger.warning("%s is neither in %s nor on PATH", name, store / package)
        return None
    try:
        result = subprocess.run(
            [str(program), *arguments],
            cwd=folder,
            env=_environment(store, dict.fromkeys((*LIBRARIES, *libraries))) | (environment or {}),
            input=standard_input,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.warning("%s: %s", name, error)
        return None
    if result.returncode != 0:
        logger.info("%s ended with %d: %s", name, result.returncode, result.stderr[-300:])
        return None
    return result.stdout


@contextmanager
def working_folder() -> Iterator[Path]:
    """A fresh folder for one call's files, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="earlet-") as folder:
        yield Path(folder)


def read_wav(file: Path) -> tuple[Samples, int] | None:
    """File -> waveform [T] and its rate; None where nothing readable or nothing at all was said."""
    import soundfile

    try:
        waveform, rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError):
        return None
    mono = np.asarray(waveform.mean(axis=1), np.float32)
    return (mono, int(rate_hz)) if len(mono) > rate_hz // 10 and np.any(mono) else None


def _program(name: str, *, store: Path, package: str) -> Path | None:
    unpacked = store / package / "usr/bin" / name
    if unpacked.is_file():
        return unpacked.resolve()
    found = shutil.which(name)
    return Path(found) if found else None


def _environment(store: Path, libraries: Iterable[str]) -> dict[str, str]:
    """The caller's environment plus the unpacked libraries, one thread, plain messages."""
    folders = [
        str(folder.resolve())
        for library in libraries
        for pattern in ("usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio", "lib/*-linux-gnu")
        for folder in sorted((store / library).glob(pattern))
    ]
    before = os.environ.get("LD_LIBRARY_PATH")
    return {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join([*folders, before] if before else folders),
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }
