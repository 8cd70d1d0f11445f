"""Takes a part of a corpus, so that a study fits its time: a corpus of its own, without copies."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from earlet.errors import CorpusError
from earlet.manifest import canonical_json
from earlet.protocol import Trial, read_protocol
from earlet.table import MARK, write_table
from earlet_train.atomic import write_beside
from earlet_train.dataset import evenly

# How many recordings of each label, or of all labels together; None: all there are.
Amount = int | Mapping[str, int] | None


def part(
    corpus: Path, out: Path, *, train: Amount, dev: Amount, evaluation: Amount, seed: int = 0
) -> Path:
    """Write `out` as a corpus that refers to some recordings of `corpus`; -> `out`.

    As even over the systems of a label as they come, and the same ones again for the same seed.
    Raises CorpusError where a label has fewer than asked for by name.
    """
    chosen = {
        split: take(read_protocol(corpus, split), amount, seed=seed, split=split)
        for split, amount in (("train", train), ("dev", dev), ("eval", evaluation))
    }
    out.mkdir(parents=True, exist_ok=True)
    for split, trials in chosen.items():
        _write(out / f"{split}.tsv", trials)
    about = {
        "name": out.name,
        "part_of": corpus.resolve().name,
        "seed": seed,
        "counts": {split: len(trials) for split, trials in chosen.items()},
        "systems": _systems(corpus),
    }
    text = canonical_json(about)
    write_beside(out / MARK, lambda file: file.write_text(text, encoding="utf-8"))
    return out


def take(trials: Sequence[Trial], amount: Amount, *, seed: int, split: str) -> list[Trial]:
    """That many of the trials, in their order. Raises CorpusError."""
    if amount is None:
        return list(trials)
    if isinstance(amount, int):
        return evenly(trials, amount, seed=seed)
    kept: set[str] = set()
    for label, count in amount.items():
        own = [trial for trial in trials if trial.key == label]
        if len(own) < count:
            raise CorpusError(
                f"split {split!r} has {len(own)} recordings labelled {label!r}, and the study "
                f"needs {count}. Give a larger corpus, or ask for fewer with --clips."
            )
        kept |= {trial.file for trial in evenly(own, count, seed=seed)}
    return [trial for trial in trials if trial.file in kept]


def _write(file: Path, trials: Sequence[Trial]) -> None:
    absolute = [_with_absolute_path(trial) for trial in trials]

    def write(target: Path) -> None:
        with target.open("w", encoding="utf-8", newline="") as stream:
            write_table(stream, absolute)

    write_beside(file, write)


def _with_absolute_path(trial: Trial) -> Trial:
    return dataclasses.replace(trial, path=trial.path.resolve())


def _systems(corpus: Path) -> object:
    """What the corpus tells of its attacks (which are text to speech, which conversion)."""
    file = corpus / MARK
    if not file.is_file():
        return {}
    told = json.loads(file.read_text(encoding="utf-8"))
    return told.get("systems", {}) if isinstance(told, dict) else {}
