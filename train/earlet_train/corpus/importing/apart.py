"""Sets a part of a split apart where a dataset is published without one, whole groups at a time."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from earlet_train.corpus.importing.dataset import Entry


def set_apart(
    entries: Iterable[Entry], *, of: str, shares: Mapping[str, float], seed: int
) -> list[Entry]:
    """Entries, in their order, some of split `of` moved to others: `shares` maps split -> share.

    All recordings of one speaker stay together (`-`: each stands alone), and speakers with the same
    labels are dealt among themselves, so that every split gets of every label what whole speakers
    allow. The largest are dealt first, each to the split that lacks most; the hash of seed and name
    orders equal ones. The same for the same entries and seed.
    """
    entries = list(entries)
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.split == of:
            groups[_group(entry)].append(entry)
    alike: dict[frozenset[str], list[str]] = defaultdict(list)
    for name, own in groups.items():
        alike[frozenset(entry.trial.key for entry in own)].append(name)
    wanted = {of: 1 - sum(shares.values()), **shares}
    dealt: dict[str, str] = {}
    for names in alike.values():
        total = sum(len(groups[name]) for name in names)
        lacks = {split: share * total for split, share in wanted.items()}
        for name in sorted(names, key=lambda n: (-len(groups[n]), _hash(n, seed))):
            split = max(lacks, key=lambda s: lacks[s])
            dealt[name] = split
            lacks[split] -= len(groups[name])
    return [
        replace(entry, split=dealt[_group(entry)]) if entry.split == of else entry
        for entry in entries
    ]


def _group(entry: Entry) -> str:
    trial = entry.trial
    return f"file {trial.file}" if trial.speaker == "-" else f"speaker {trial.speaker}"


def _hash(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
