"""Reads a published dataset, looks at all its files, and writes it down as tables of a corpus."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from earlet.bad_recordings import Heard
from earlet.errors import CorpusError, UsageError
from earlet.table import MARK, write_table
from earlet.trial import SPLITS
from earlet_train.corpus.importing.dataset import Dataset, Entry
from earlet_train.corpus.importing.examine import Wanted, examine
from earlet_train.corpus.importing.place import place

SCHEMA = "earlet-import-1"
NAMED_AT_MOST = 5
OnStage = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to import and how.

    `copy`: put the audio into the corpus too. `convert_hz`: put it there as mono of this rate.
    `decode`: decode every file instead of its header. `skip_bad`: leave unusable files out.
    """

    kind: str
    dataset: Dataset
    out: Path
    copy: bool = False
    convert_hz: int | None = None
    decode: bool = False
    skip_bad: bool = False


@dataclass(frozen=True, kw_only=True)
class Imported:
    """corpus.json of an imported corpus. `counts`: split -> label -> recordings.

    `rates_hz`, `channels`: how many files have each, as they lie in the corpus. `left_out`: file or
    group of files -> why. `notes`: what to know before training on it.
    """

    schema: str
    earlet: str
    kind: str
    source: str
    options: Mapping[str, object]
    labels: list[str]
    counts: dict[str, dict[str, int]]
    hours: dict[str, float]
    rates_hz: dict[str, int]
    channels: dict[str, int]
    left_out: dict[str, str]
    notes: list[str]


def import_dataset(order: Order, *, on_stage: OnStage | None = None) -> Imported:
    """Write the corpus `order.out` whole or not at all; -> what its corpus.json says.

    Raises CorpusError where the dataset does not fit its published layout or a file is unusable,
    UsageError where `out` is taken.
    """
    tell = on_stage or (lambda title, done, total: None)
    _refuse_out(order)
    entries = list(_once(order.dataset.entries()))
    dataset, converting = order.dataset, order.convert_hz is not None
    heard = examine(
        [entry.trial.path for entry in entries],
        Wanted(
            rate_hz=None if converting else dataset.rate_hz,
            one_rate=dataset.one_rate and not converting,
            mono=dataset.mono and not converting,
            decode=order.decode or converting,
        ),
        on_file=lambda done: tell("looking at files", done, len(entries)),
    )
    bad = {
        f"{entry.trial.path} ({entry.origin})": one.fault
        for entry, one in zip(entries, heard, strict=True)
        if one.fault
    }
    if bad and not order.skip_bad:
        raise CorpusError(_told(bad, of=len(entries)))
    kept = [(entry, one) for entry, one in zip(entries, heard, strict=True) if not one.fault]
    if not kept:
        raise CorpusError(f"no file can be used: {_told(bad, of=len(entries))}")
    partial = order.out.with_name(f".{order.out.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
        imported = _write(order, kept, bad, partial, tell)
        if order.out.is_dir():
            order.out.rmdir()
        partial.replace(order.out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return imported


def _write(
    order: Order,
    kept: Sequence[tuple[Entry, Heard]],
    bad: Mapping[str, str],
    folder: Path,
    tell: OnStage,
) -> Imported:
    placed = place(
        [entry.trial for entry, _ in kept],
        folder,
        copy=order.copy,
        convert_hz=order.convert_hz,
        on_file=lambda done: tell("placing files", done, len(kept)),
    )
    named = {entry.split for entry, _ in kept}
    splits = [*(s for s in SPLITS if s in named), *sorted(named - set(SPLITS))]
    counts, hours = {}, {}
    for split in splits:
        own = [i for i, (entry, _) in enumerate(kept) if entry.split == split]
        with (folder / f"{split}.tsv").open("w", encoding="utf-8", newline="") as stream:
            write_table(stream, [placed[i] for i in own])
        counts[split] = dict(sorted(Counter(placed[i].key for i in own).items()))
        hours[split] = round(sum(kept[i][1].frames / kept[i][1].rate_hz for i in own) / 3600, 4)
    found = sorted({key for own in counts.values() for key in own})
    labels = [key for key in order.dataset.labels if key in found] or found
    rates = Counter(order.convert_hz or one.rate_hz for _, one in kept)
    channels = Counter(1 if order.convert_hz else one.channels for _, one in kept)
    from earlet import __version__

    imported = Imported(
        schema=SCHEMA,
        earlet=__version__,
        kind=order.kind,
        source=str(order.dataset.root.absolute()),
        options=options_of(order),
        labels=labels,
        counts=counts,
        hours=hours,
        rates_hz={str(rate): count for rate, count in sorted(rates.items())},
        channels={str(number): count for number, count in sorted(channels.items())},
        left_out={**order.dataset.left_out(), **bad},
        notes=[*_notes(order, counts, labels, rates, channels)],
    )
    text = json.dumps(asdict(imported), indent=1, ensure_ascii=False) + "\n"
    (folder / MARK).write_text(text, encoding="utf-8")
    return imported


def options_of(order: Order) -> dict[str, object]:
    """Everything that another import would have to be told to end in the same corpus."""
    own = {f.name: getattr(order.dataset, f.name) for f in fields(order.dataset)}
    told = {**own, "copy": order.copy, "convert_hz": order.convert_hz}
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in told.items()
        if name != "root" and value is not None and value is not False
    }


def _notes(
    order: Order,
    counts: Mapping[str, Mapping[str, int]],
    labels: Sequence[str],
    rates: Mapping[int, int],
    channels: Mapping[int, int],
) -> list[str]:
    notes = [
        f"{split} has no {', '.join(absent)}"
        for split, own in counts.items()
        if (absent := [label for label in labels if label not in own])
    ]
    if "train" in counts and "dev" not in counts:
        own = {field.name for field in fields(order.dataset)}
        option = next((name for name in ("dev_fold", "dev_share") if name in own), None)
        if option:
            flag = "--" + option.replace("_", "-")
            notes.append(f"there is no dev; training needs one: import with {flag}")
    if len(rates) > 1 or set(channels) != {1}:
        notes.append(
            "several rates, or more than one channel; training needs one of each: import with "
            "--convert 16000, or the rate of your recipe"
        )
    return notes


def _refuse_out(order: Order) -> None:
    out, root = order.out.absolute(), order.dataset.root.absolute()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{order.out} is there already; name a folder that is not, or is empty.")
    if root == out or root in out.parents:
        raise UsageError(
            f"{order.out} lies inside the dataset {order.dataset.root}; name a folder outside, so "
            "that the dataset stays as published."
        )


def _once(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries as they come. Raises CorpusError at the first that came before."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.trial.file, entry)
        if first is not entry:
            raise CorpusError(
                f"{entry.origin}: {entry.trial.file!r} is listed already in {first.origin}; every "
                "recording is expected once, in one split."
            )
        yield entry


def _told(bad: Mapping[str, str], *, of: int) -> str:
    named = [f"  {file} {fault}" for file, fault in list(bad.items())[:NAMED_AT_MOST]]
    more = f"\n  and {len(bad) - NAMED_AT_MOST} more" if len(bad) > NAMED_AT_MOST else ""
    # Of missing and damaged ones a conversion makes nothing.
    convert = any(fault.startswith("has ") for fault in bad.values())
    hint = " (--convert, in a recipe convert = true, takes any rate and number of channels)"
    return (
        f"{len(bad)} of {of} files cannot be used:\n" + "\n".join(named) + f"{more}\nRepair them, "
        f"or leave them out with --skip-bad{hint if convert else ''}."
    )
