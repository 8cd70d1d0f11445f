"""Where an imported recording lies: where it was, copied into the corpus, or converted into it."""

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import gcd
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet.trial import Trial

FOLDER = "audio"
WRITERS = 2


def place(
    trials: Sequence[Trial],
    out: Path,
    *,
    copy: bool,
    convert_hz: int | None,
    on_file: Callable[[int], None],
) -> list[Trial]:
    """The trials with their paths as the table is to tell them; files go to `out`/audio.

    `convert_hz`: the mean of all channels, at this rate, as 16-bit FLAC; louder than full scale is
    clipped. Neither: the path as it is, absolute. Raises CorpusError.
    """
    if not copy and convert_hz is None:
        return [replace(trial, path=trial.path.absolute()) for trial in trials]
    names = [
        _name(trial, suffix=trial.path.suffix if convert_hz is None else ".flac")
        for trial in trials
    ]

    def put(trial: Trial, name: Path) -> Trial:
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if convert_hz is None:
            shutil.copyfile(trial.path, target)
        else:
            _convert(trial.path, target, rate_hz=convert_hz)
        return replace(trial, path=name)

    placed = []
    with ThreadPoolExecutor(max_workers=WRITERS) as writers:
        for trial in writers.map(put, trials, names):
            placed.append(trial)
            on_file(len(placed))
    return placed


def mono(samples: NDArray[np.float32], rate_hz: int, *, to_hz: int) -> NDArray[np.float32]:
    """Samples [T, C] at one rate -> [T'] at another, the mean of all channels.

    Band-limited (polyphase, Kaiser window); T' = ceil(T * to_hz / rate_hz).
    """
    from scipy.signal import resample_poly

    mixed = samples.mean(axis=1, dtype=np.float64)
    common = gcd(rate_hz, to_hz)
    if rate_hz != to_hz:
        mixed = resample_poly(mixed, to_hz // common, rate_hz // common)
    clipped: NDArray[np.float32] = np.clip(mixed, -1, 1).astype(np.float32)
    return clipped


def _convert(source: Path, target: Path, *, rate_hz: int) -> None:
    import soundfile

    samples, found_hz = soundfile.read(source, dtype="float32", always_2d=True)
    converted = mono(samples, found_hz, to_hz=rate_hz)
    soundfile.write(target, converted, rate_hz, subtype="PCM_16", format="FLAC")


def _name(trial: Trial, *, suffix: str) -> Path:
    """audio/<id><suffix>, inside the corpus whatever the id is. Raises CorpusError."""
    own = PurePosixPath(trial.file)
    if own.is_absolute() or ".." in own.parts:
        raise CorpusError(
            f"{trial.file!r} lies outside the dataset's folder, so it has no place in a copy. Move "
            "the table to a folder above all recordings, or import without --copy and --convert."
        )
    whole = trial.file if trial.file.lower().endswith(suffix.lower()) else f"{trial.file}{suffix}"
    return Path(FOLDER) / whole
