"""Reads a recording from a file or a pipe, in every format that libsndfile knows."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError, MissingExtra

BLOCK_SAMPLES = 65_536
_PIPED_IN_MEMORY_BYTES = 1 << 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Samples float32 [T] or [T, channels] as stored, integers scaled to [-1, 1], and their rate.

    Float files are not scaled: they may break the input contract, which `as_waveform` checks.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int


def read(path: Path) -> Recording:
    """The whole file. Raises AudioError where it is missing, empty, a folder or not a recording."""
    _check_there(path)
    return _decode(path, name=str(path))


def open_sound(path: Path) -> Any:
    """The same to be read bit by bit: a `soundfile.SoundFile`, for `with`. Raises AudioError."""
    _check_there(path)
    return _open(path, name=str(path))


@contextlib.contextmanager
def open_piped(pipe: BinaryIO, *, name: str) -> Iterator[Any]:
    """The same of a sound file that comes through a pipe; `name` stands for it in errors.

    It is kept in memory or, if long, on the disk: a format may say at its end what the samples at
    its beginning mean.
    """
    with tempfile.SpooledTemporaryFile(max_size=_PIPED_IN_MEMORY_BYTES) as kept:
        shutil.copyfileobj(pipe, kept)
        if kept.tell() == 0:
            raise AudioError(f"{name} is empty: it has 0 bytes. Pipe a WAV or FLAC file into it.")
        kept.seek(0)
        with _open(kept, name=name) as file:
            yield file


def blocks(file: Any, *, name: str) -> Iterator[NDArray[np.float32]]:
    """What `open_sound` gave, from here to its end: float32 [T, channels], scaled as `Recording`.

    Raises AudioError where it cannot be read on, or has no samples.
    """
    soundfile = _soundfile()
    found = False
    while True:
        try:
            block: NDArray[np.float32] = file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise _not_sound(name, error) from None
        if len(block) == 0:
            break
        found = True
        yield block
    if not found:
        raise _no_samples(name)


def formats() -> tuple[str, ...]:
    """Names of the file formats that can be read here, for example WAV, FLAC, OGG."""
    return tuple(sorted(_soundfile().available_formats()))


def _check_there(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"{path} is a folder. Give the sound files in it: {path}/*.wav")
    try:
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty: it has 0 bytes. Copy or record it again.")
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror or error}.") from None


def _decode(file: Path, *, name: str) -> Recording:
    soundfile = _soundfile()
    try:
        samples, rate = soundfile.read(file, dtype="float32")
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise _not_sound(name, error) from None
    if len(samples) == 0:
        raise _no_samples(name)
    return Recording(samples=samples, sample_rate_hz=int(rate))


def _open(file: Any, *, name: str) -> Any:
    soundfile = _soundfile()
    try:
        return soundfile.SoundFile(file)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise _not_sound(name, error) from None


def _no_samples(name: str) -> AudioError:
    return AudioError(f"{name} holds no samples: a header and nothing after it. Record it again.")


def _not_sound(name: str, error: Exception) -> AudioError:
    return AudioError(
        f"{name} is not a sound file that can be read ({_reason(error)}). "
        "Readable are WAV, FLAC, OGG, MP3 and others; earlet never guesses at raw samples."
    )


def _reason(error: Exception) -> str:
    """Its own words (those of libsndfile), without the path, which the message has already."""
    return str(getattr(error, "error_string", error)).strip().rstrip(".")


def _soundfile() -> Any:
    """The module, imported on first use. Raises MissingExtra, AudioError."""
    try:
        import soundfile
    except ModuleNotFoundError as error:
        if error.name != "soundfile":
            raise
        raise MissingExtra(module="soundfile", extra=None) from None
    except OSError as error:
        # The package is there and the C library is not: a source install without it.
        raise AudioError(
            f"the package soundfile finds no libsndfile ({error}). "
            "Install it with: apt install libsndfile1"
        ) from None
    return soundfile
