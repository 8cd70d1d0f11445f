"""Reads a recording from a file or a pipe, in every format that libsndfile knows."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError, MissingExtra


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Samples float32 [T] or [T, channels] as stored, integers scaled to [-1, 1], and their rate.

    Float files are not scaled: they may break the input contract, which `as_waveform` checks.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int


def read(path: Path) -> Recording:
    """The whole file. Raises AudioError where it is missing, empty, a folder or not a recording."""
    if path.is_dir():
        raise AudioError(f"{path} is a folder. Give the sound files in it: {path}/*.wav")
    try:
        if path.stat().st_size == 0:
            raise AudioError(f"{path} is empty: it has 0 bytes. Copy or record it again.")
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror or error}.") from None
    return _decode(path, name=str(path))


def read_bytes(data: bytes, *, name: str) -> Recording:
    """A sound file that is already in memory; `name` stands for it in errors. AudioError."""
    if not data:
        raise AudioError(f"{name} is empty: it has 0 bytes. Pipe a WAV or FLAC file into it.")
    return _decode(io.BytesIO(data), name=name)


def formats() -> tuple[str, ...]:
    """Names of the file formats that can be read here, for example WAV, FLAC, OGG."""
    return tuple(sorted(_soundfile().available_formats()))


def _decode(file: Path | io.BytesIO, *, name: str) -> Recording:
    soundfile = _soundfile()
    try:
        samples, rate = soundfile.read(file, dtype="float32")
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise AudioError(
            f"{name} is not a sound file that can be read ({_reason(error)}). "
            "Readable are WAV, FLAC, OGG, MP3 and others; earlet never guesses at raw samples."
        ) from None
    if len(samples) == 0:
        raise AudioError(
            f"{name} holds no samples: a header and nothing after it. Record it again."
        )
    return Recording(samples=samples, sample_rate_hz=int(rate))


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
