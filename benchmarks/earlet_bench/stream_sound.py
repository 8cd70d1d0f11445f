"""The long sound that streams are measured on: recordings in a row, or the golden signals."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earlet.audio import read
from earlet.errors import UsageError
from earlet.golden import signals
from earlet.manifest import Manifest
from earlet.resample import Waveform, resample
from earlet.waveform import as_waveform

LEAST_S = 60.0
_SUFFIXES = (".flac", ".wav", ".ogg", ".opus", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True, kw_only=True, eq=False)
class LongSound:
    """`samples` [T] at the detector's rate; `name`: what they are, in words; `real`: recorded."""

    samples: Waveform
    sample_rate_hz: int
    name: str
    real: bool

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.sample_rate_hz


def long_sound(manifest: Manifest, data: Path | None, *, seed: int) -> LongSound:
    """A recording, or a folder of them in an order drawn with `seed` -> LEAST_S and a window.

    None: the golden signals. Raises UsageError where there is less, AudioError on a recording that
    breaks the input contract.
    """
    rate_hz = manifest.sample_rate_hz
    if data is None:
        waves = signals(window=manifest.window, sample_rate_hz=rate_hz)
        return LongSound(
            samples=np.concatenate(list(waves.values())),
            sample_rate_hz=rate_hz,
            name="the golden signals, which are no speech",
            real=False,
        )
    wanted = int(LEAST_S * rate_hz) + manifest.window.window_samples
    pieces: list[Waveform] = []
    found = 0
    for file in _files(data, seed=seed):
        recording = read(file)
        # Of several channels one is as good as another here.
        mono = as_waveform(recording.samples, channel=0)
        pieces.append(resample(mono, recording.sample_rate_hz, rate_hz)[: wanted - found])
        found += len(pieces[-1])
        if found == wanted:
            break
    if found < wanted:
        raise UsageError(
            f"{data} holds {found / rate_hz:.0f} s of sound, and {wanted / rate_hz:.0f} s are "
            "needed: name a folder with more of it, or a longer recording."
        )
    what = "a recording" if data.is_file() else f"{len(pieces)} recordings of {data.resolve().name}"
    return LongSound(samples=np.concatenate(pieces), sample_rate_hz=rate_hz, name=what, real=True)


def _files(data: Path, *, seed: int) -> Iterator[Path]:
    if not data.exists():
        raise UsageError(f"there is no {data}: name a recording, or a folder with recordings.")
    if data.is_file():
        yield data
        return
    files = sorted(p for p in data.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
    if not files:
        raise UsageError(f"{data} holds no recordings ({', '.join(_SUFFIXES)}).")
    order = np.random.default_rng(seed).permutation(len(files))
    yield from (files[i] for i in order)
