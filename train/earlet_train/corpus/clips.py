"""A corpus of labelled clips on disk: tables, FLAC, and corpus.json, written last.

<out>/<SPLIT>.tsv                as `earlet.table` says
<out>/audio/<SPLIT>/<FILE>.flac  16 kHz, 16 bits; FILE is a hash of the sound
<out>/corpus.json                what it holds and what it was made of
"""

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import earlet
from earlet.errors import CorpusError
from earlet.table import write_table
from earlet.trial import SPLITS, Trial
from earlet_train.corpus.inventory import write_beside
from earlet_train.corpus.packages import PACKAGES
from earlet_train.corpus.speech_level import SAMPLE_RATE_HZ

SCHEMA, FILE, BEGUN = "earlet-clips-1", "corpus.json", ".begun.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """One labelled sound, int16 [T], 16 kHz. `speaker`: who or what was recorded."""

    split: str
    label: str
    speaker: str
    extras: Mapping[str, str]
    samples: NDArray[np.int16]

    @property
    def name(self) -> str:
        """A hash of the sound: tells nothing of its label, and is the same in every build."""
        return hashlib.sha256(self.samples.tobytes()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class ClipInventory:
    """corpus.json. `counts`: split -> label -> clips; `labels`: what each stands for.

    `packages` name version, sha256 and licence; `left_out`: what is missing, and why.
    """

    schema: str
    kind: str
    size: str
    seed: int
    earlet: str
    sample_rate_hz: int
    counts: dict[str, dict[str, int]]
    hours: dict[str, float]
    labels: dict[str, str]
    packages: dict[str, dict[str, str]]
    left_out: dict[str, str]


def begin(out: Path, *, kind: str, size: str, seed: int) -> ClipInventory | None:
    """The finished corpus in `out`, None where it is to be made. Raises CorpusError.

    A folder that holds anything but the beginning of this very corpus is refused.
    """
    asked = {"kind": kind, "size": size, "seed": seed}
    inventory = _read(out / FILE)
    if inventory is not None:
        found = {name: getattr(inventory, name) for name in asked}
        if found != asked:
            raise CorpusError(
                f"{out} holds another corpus ({_told(found)}), asked was for {_told(asked)}: "
                "choose another folder or delete it."
            )
        return inventory if _is_whole(out, inventory) else None
    begun = out / BEGUN
    told = json.dumps(asked) + "\n"
    is_begun = begun.is_file() and begun.read_text(encoding="utf-8") == told
    if out.is_dir() and any(out.iterdir()) and not is_begun:
        raise CorpusError(
            f"{out} is not empty and holds no beginning of this corpus ({_told(asked)}): "
            "choose another folder or delete it."
        )
    write_beside(begun, told)
    return None


def write_clips(
    out: Path,
    clips: Iterable[Clip],
    *,
    inventory: ClipInventory,
    on_clip: Callable[[int], None],
) -> ClipInventory:
    """Write audio and tables, then corpus.json; -> `inventory` with counts and hours filled in.

    `on_clip` hears how many are written.
    """
    import soundfile

    trials: dict[str, list[Trial]] = {split: [] for split in SPLITS}
    seconds = dict.fromkeys(SPLITS, 0.0)
    for number, clip in enumerate(clips, start=1):
        inside = Path("audio") / clip.split / f"{clip.name}.flac"
        file = out / inside
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}.part")
        soundfile.write(beside, clip.samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
        beside.replace(file)
        trial = Trial(
            speaker=clip.speaker,
            file=clip.name,
            system="-",
            key=clip.label,
            path=inside,
            extras=clip.extras,
        )
        trials[clip.split].append(trial)
        seconds[clip.split] += len(clip.samples) / SAMPLE_RATE_HZ
        on_clip(number)
    for split, own in trials.items():
        # In the order of their hashes, which no label stands behind.
        stream = io.StringIO(newline="")
        write_table(stream, sorted(own, key=lambda trial: trial.file))
        write_beside(out / f"{split}.tsv", stream.getvalue())
    inventory = replace(
        inventory,
        counts={s: dict(sorted(Counter(t.key for t in trials[s]).items())) for s in SPLITS},
        hours={s: round(seconds[s] / 3600, 4) for s in SPLITS},
    )
    text = json.dumps(asdict(inventory), indent=1, ensure_ascii=False) + "\n"
    write_beside(out / FILE, text)
    (out / BEGUN).unlink(missing_ok=True)
    return inventory


def empty_inventory(
    *,
    kind: str,
    size: str,
    seed: int,
    labels: Mapping[str, str],
    packages: Sequence[str],
    left_out: Mapping[str, str],
) -> ClipInventory:
    """What is known before any clip is written."""
    return ClipInventory(
        schema=SCHEMA,
        kind=kind,
        size=size,
        seed=seed,
        earlet=earlet.__version__,
        sample_rate_hz=SAMPLE_RATE_HZ,
        counts={},
        hours={},
        labels=dict(labels),
        packages={
            name: {
                "version": PACKAGES[name].version,
                "sha256": PACKAGES[name].sha256,
                "licence": PACKAGES[name].licence,
            }
            for name in sorted(packages)
        },
        left_out=dict(left_out),
    )


def _read(file: Path) -> ClipInventory | None:
    if not file.is_file():
        return None
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        if entry["schema"] != SCHEMA:
            raise CorpusError(
                f"{file} is of a corpus of another kind ({entry['schema']}): choose another "
                "folder or delete it."
            )
        return ClipInventory(**entry)
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{file} cannot be read ({error}); choose another folder.") from error


def _is_whole(out: Path, inventory: ClipInventory) -> bool:
    """Whether as many files as were counted are there."""
    held = {s: sum(1 for _ in (out / "audio" / s).glob("*.flac")) for s in inventory.counts}
    return all(held[s] == sum(counts.values()) for s, counts in inventory.counts.items())


def _told(asked: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in asked.items())
