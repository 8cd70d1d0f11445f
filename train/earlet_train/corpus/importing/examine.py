"""Looks at every file of a dataset before anything is written: what is it, and can it be used?

Headers tell whether a file is there, is audio, is empty, and its rate and channels. Numbers that
are not finite only fit into files of floating point, which are therefore decoded too. Whatever else
may be wrong inside (a FLAC file cut in the middle) is found with `decode`, or by the loader of the
training, or `earlet corpus check`, both of which read everything.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

READERS = 4
BLOCK_FRAMES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One file. `fault`: why it cannot be used, empty for a sound file."""

    rate_hz: int = 0
    channels: int = 0
    frames: int = 0
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a file must be. `rate_hz` None: any; `one_rate`: but all the same."""

    rate_hz: int | None
    one_rate: bool
    mono: bool
    decode: bool


def examine(
    paths: Sequence[Path], wanted: Wanted, *, on_file: Callable[[int], None]
) -> list[Heard]:
    """One answer per file, in their order. `on_file` hears how many are done."""
    heard = []
    # Opening waits for the disk or the network, not for the processor.
    with ThreadPoolExecutor(max_workers=READERS) as readers:
        for one in readers.map(lambda path: _hear(path, decode=wanted.decode), paths):
            heard.append(one)
            on_file(len(heard))
    rate_hz = wanted.rate_hz
    if rate_hz is None and wanted.one_rate:
        rates = Counter(one.rate_hz for one in heard if not one.fault)
        # The most common one is meant; of equally common ones the first.
        rate_hz = max(rates, key=lambda rate: rates[rate], default=None)
    return [_judge(one, rate_hz=rate_hz, mono=wanted.mono) for one in heard]


def _hear(path: Path, *, decode: bool) -> Heard:
    import soundfile

    try:
        info = soundfile.info(path)
        heard = Heard(rate_hz=info.samplerate, channels=info.channels, frames=info.frames)
        if not info.frames:
            return Heard(fault="is empty (0 samples)")
        if decode or info.subtype in ("FLOAT", "DOUBLE"):
            fault = _listen(path, frames=info.frames)
            return Heard(fault=fault) if fault else heard
        return heard
    except (OSError, RuntimeError) as error:
        if not path.is_file():
            return Heard(fault="is missing")
        if not path.stat().st_size:
            return Heard(fault="is empty (0 bytes)")
        return Heard(fault=f"is damaged or no audio ({error})")


def _listen(path: Path, *, frames: int) -> str:
    """Decode it all, a block at a time; -> the fault, or an empty text."""
    import numpy as np
    import soundfile

    got = 0
    for block in soundfile.blocks(path, blocksize=BLOCK_FRAMES, dtype="float32"):
        got += len(block)
        if not np.isfinite(block).all():
            return "holds numbers that are not finite (NaN or infinity)"
    return "" if got == frames else f"is cut off: {got} of {frames} samples are there"


def _judge(heard: Heard, *, rate_hz: int | None, mono: bool) -> Heard:
    if heard.fault:
        return heard
    found = []
    if rate_hz is not None and heard.rate_hz != rate_hz:
        found.append(f"has {heard.rate_hz} Hz, expected {rate_hz} Hz")
    if mono and heard.channels != 1:
        found.append(f"has {heard.channels} channels, expected one")
    return Heard(fault=" and ".join(found)) if found else heard
