"""Finds the recordings of a corpus that cannot be used, before any long work, and says why.

    need = Need.of(window, sample_rate_hz=16_000)
    bad = find_bad(trials, need)
    refuse(bad, of=len(trials), corpus=folder)      # raises CorpusError, naming them

Import, training, export, verification, benchmark and evaluation all ask here, so that one file is
bad for all of them for the same reason. Headers tell whether a file is there, is audio, is empty,
its rate and its channels; damage further on and numbers that are not finite show on decoding.
"""

import json
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet.manifest import WindowPolicy
from earlet.table import MARK
from earlet.trial import Trial
from earlet.waveform import PEAK_LIMIT, Waveform

READERS = 4
BLOCK_FRAMES = 1 << 20
NAMED_AT_MOST = 10
# Whole numbers are finite, and no louder than full scale.
_FLOATING = ("FLOAT", "DOUBLE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One file. `floats`: it may hold what is not finite. `fault`: why nobody can use it, or ""."""

    rate_hz: int = 0
    channels: int = 0
    frames: int = 0
    floats: bool = False
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a recording must be. `sample_rate_hz` None: of any rate."""

    sample_rate_hz: int | None
    least_samples: int = 1
    mono: bool = True

    @classmethod
    def of(cls, window: WindowPolicy, *, sample_rate_hz: int) -> "Need":
        """What a detector with this window policy needs."""
        least = window.window_samples if window.short == "reject" else window.min_samples
        return cls(sample_rate_hz=sample_rate_hz, least_samples=least)

    def why_not(self, heard: Heard) -> str:
        """Everything that is wrong with a file, empty where nothing is."""
        if heard.fault:
            return heard.fault
        found = []
        if self.sample_rate_hz is not None and heard.rate_hz != self.sample_rate_hz:
            found.append(f"has {heard.rate_hz} Hz, expected {self.sample_rate_hz} Hz")
        if self.mono and heard.channels != 1:
            found.append(f"has {heard.channels} channels, expected one")
        # Of another rate it would be of another length.
        if not found and heard.frames < self.least_samples:
            found.append(f"has {heard.frames} samples, expected at least {self.least_samples}")
        return " and ".join(found)


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A recording that cannot be used, and why."""

    trial: Trial
    why: str

    @property
    def of_another_format(self) -> bool:
        """Whether it is sound, only of another rate or number of channels."""
        return self.why.startswith("has ") and "samples, expected" not in self.why

    def __str__(self) -> str:
        return f"{self.trial.path} {self.why}"


def find_bad(
    trials: Sequence[Trial], need: Need, *, on_trial: Callable[[], None] = lambda: None
) -> list[Bad]:
    """Decode every recording; -> those that cannot be used, in their order."""

    def judge(trial: Trial) -> str:
        heard = _header(trial.path)
        # Where the header tells already, nothing is decoded: a wrong rate is found in seconds.
        why = need.why_not(heard) or _decoded(trial.path, frames=heard.frames)
        on_trial()
        return why

    # Opening waits for the disk, and decoding releases the interpreter's lock.
    with ThreadPoolExecutor(max_workers=READERS) as readers:
        found = list(readers.map(judge, trials))
    return [Bad(trial=t, why=why) for t, why in zip(trials, found, strict=True) if why]


def hear(trial: Trial, need: Need) -> Waveform | Bad:
    """The recording [T] in [-1, 1], or why it cannot be used."""
    import soundfile

    heard = _header(trial.path)
    why = need.why_not(heard)
    if why:
        return Bad(trial=trial, why=why)
    try:
        samples, _ = soundfile.read(trial.path, dtype="float32")
        why = _unsound(samples) or _cut_off(len(samples), heard.frames)
    except (OSError, RuntimeError) as error:
        why = f"is damaged ({_reason(error)})"
    if why:
        return Bad(trial=trial, why=why)
    waveform: Waveform = samples
    return waveform


def look(path: Path, *, decode: bool) -> Heard:
    """What a file is, by its header; with `decode`, and where it holds floats, by its samples."""
    heard = _header(path)
    if heard.fault or not (decode or heard.floats):
        return heard
    return replace(heard, fault=_decoded(path, frames=heard.frames))


def without(trials: Sequence[Trial], bad: Collection[Bad]) -> list[Trial]:
    """The trials that are left."""
    files = {one.trial.file for one in bad}
    return [trial for trial in trials if trial.file not in files]


def named(bad: Sequence[Bad]) -> str:
    """The first of them, a line for each, and how many more there are."""
    lines = [f"  {one}" for one in bad[:NAMED_AT_MOST]]
    if len(bad) > NAMED_AT_MOST:
        lines.append(f"  and {len(bad) - NAMED_AT_MOST} more")
    return "\n".join(lines)


def left_out(bad: Sequence[Bad], *, of: int) -> str:
    """What to say on stderr where they were left out as asked."""
    return f"left out {len(bad)} of {of} recordings that cannot be used:\n{named(bad)}"


def refuse(bad: Sequence[Bad], *, of: int, corpus: Path) -> None:
    """Raises CorpusError where there is any, counting all and naming the first."""
    if bad:
        raise CorpusError(
            f"{len(bad)} of {of} recordings cannot be used:\n{named(bad)}\n{mend(corpus, bad)} Or "
            "leave them out with --skip-bad."
        )


def mend(corpus: Path, bad: Sequence[Bad]) -> str:
    """How to get a corpus whole again, by how it was made and what is bad: a sentence."""
    try:
        made = json.loads((corpus / MARK).read_text(encoding="utf-8"))
        schema = str(made["schema"])
    except (OSError, ValueError, KeyError, TypeError):
        made, schema = {}, ""
    imported = schema.startswith("earlet-import")
    whence = f"{made.get('kind')} {made.get('source')}" if imported else "KIND FOLDER"
    if all(one.of_another_format for one in bad):
        again = f"earlet corpus import {whence} --convert HZ --out DIR"
        return f"A mono copy of another rate: {again}."
    if imported:
        again = f"earlet corpus import {whence} --out DIR"
        return f"Repair or copy them again where they lie, or import anew: {again}."
    if not schema:
        return "Repair them, or copy the dataset again."
    options = [f"--{name} {made[name]}" for name in ("kind", "size", "seed") if made.get(name)]
    again = " ".join(["earlet corpus build", *options, f"--out {corpus}"])
    return f"Delete what is bad and run the same build again, which makes what is missing: {again}."


def _header(path: Path) -> Heard:
    import soundfile

    try:
        info = soundfile.info(path)
    except (OSError, RuntimeError) as error:
        if not path.is_file():
            return Heard(fault="is missing")
        if not path.stat().st_size:
            return Heard(fault="is empty (0 bytes)")
        return Heard(fault=f"is damaged or no audio ({_reason(error)})")
    if not info.frames:
        return Heard(fault="is empty (0 samples)")
    return Heard(
        rate_hz=info.samplerate,
        channels=info.channels,
        frames=info.frames,
        floats=info.subtype in _FLOATING,
    )


def _decoded(path: Path, *, frames: int) -> str:
    """Decode a file, a block at a time, as it may be long; -> the fault, or an empty text."""
    import soundfile

    got = 0
    try:
        for block in soundfile.blocks(path, blocksize=BLOCK_FRAMES, dtype="float32"):
            got += len(block)
            fault = _unsound(block)
            if fault:
                return fault
    except (OSError, RuntimeError) as error:
        return f"is damaged ({_reason(error)})"
    return _cut_off(got, frames)


def _unsound(samples: NDArray[np.float32]) -> str:
    """Samples [T] or [T, C] -> what is wrong with the numbers, or an empty text."""
    if not np.isfinite(samples).all():
        return "holds numbers that are not finite (NaN or infinity)"
    peak = float(np.abs(samples).max(initial=0))
    return f"reaches {peak:g}, expected samples in [-1, 1]" if peak > PEAK_LIMIT else ""


def _cut_off(got: int, frames: int) -> str:
    return "" if got == frames else f"is cut off: {got} of {frames} samples are there"


def _reason(error: Exception) -> str:
    """Its own words (those of libsndfile), without the path, which the message has already."""
    told = str(getattr(error, "error_string", error)).strip().rstrip(".")
    return told.removeprefix("Error : ")
