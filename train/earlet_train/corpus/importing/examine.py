"""Looks at every file of a dataset before anything is written: what is it, and can it be used?

As `earlet.bad_recordings` looks, but a dataset's rate may be whatever most of its files have.
Headers are read, and files of floating point decoded too, as they may hold NaN. Whatever else
may be wrong inside (a FLAC file cut in the middle) is found with `decode`, or by the loader of the
training, or `earlet corpus check`, both of which read everything.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from earlet.bad_recordings import READERS, Heard, Need, look


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
        for one in readers.map(lambda path: look(path, decode=wanted.decode), paths):
            heard.append(one)
            on_file(len(heard))
    rate_hz = wanted.rate_hz
    if rate_hz is None and wanted.one_rate:
        rates = Counter(one.rate_hz for one in heard if not one.fault)
        # The most common one is meant; of equally common ones the first.
        rate_hz = max(rates, key=lambda rate: rates[rate], default=None)
    need = Need(sample_rate_hz=rate_hz, mono=wanted.mono)
    return [replace(one, fault=need.why_not(one)) for one in heard]
