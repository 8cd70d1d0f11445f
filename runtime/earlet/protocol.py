"""Reads who said what in a labelled corpus: ASVspoof 2019 trees and imported tables.

A tree, for ASVspoof 2019 as published and for earlet's own corpus of speech:

    <root>/<NAME>_cm_protocols/<PREFIX>.cm.{train.trn,dev.trl,eval.trl}.txt
    <root>/<NAME>_{train,dev,eval}/flac/<FILE>.flac

Each protocol row holds five columns separated by spaces: SPEAKER FILE ENVIRONMENT SYSTEM KEY, where
KEY is `bonafide` or `spoof`, SYSTEM is `-` for bona fide rows, and ENVIRONMENT is `-` but in PA.

A table, for everything that `earlet corpus import` reads, is described in `earlet.table`:

    <root>/<SPLIT>.tsv          file, path, speaker, system, key, and what else is known
    <root>/corpus.json
"""

from pathlib import Path

from earlet.errors import CorpusError
from earlet.table import read_table, tables
from earlet.trial import KEYS as KEYS
from earlet.trial import SPLITS as SPLITS
from earlet.trial import Trial as Trial
from earlet.trial import check_label

_SUFFIX = {"train": "train.trn.txt", "dev": "dev.trl.txt", "eval": "eval.trl.txt"}


def read_protocol(root: Path, split: str) -> list[Trial]:
    """All trials of one split, in the protocol's order. Raises CorpusError.

    A tree has the splits of `SPLITS`, tables may have others (`progress`, `hidden`). Checks the
    rows, not the audio: a missing file is reported by whoever opens it (or by `missing_files`).
    """
    held = tables(root)
    if split in held:
        return read_table(held[split], root=root)
    if held:
        raise CorpusError(
            f"the corpus {root} has no split {split!r}; it has {', '.join(held)}. Where the "
            "dataset as published has none, an option of `earlet corpus import` may set one apart "
            "(--dev-share, --dev-fold, --by-speaker; in a recipe's [data] dev_share, ...)."
        )
    if split not in SPLITS:
        raise CorpusError(f"there is no split {split!r}; the splits are {', '.join(SPLITS)}.")
    return _read_tree(root, split)


def splits(root: Path) -> tuple[str, ...]:
    """The splits that a corpus lists, whichever way it is laid out; () where it is none."""
    return tuple(tables(root)) or tuple(
        split for split in SPLITS if any(root.glob(f"*_cm_protocols/*.cm.{_SUFFIX[split]}"))
    )


def missing_files(trials: list[Trial]) -> list[Path]:
    """Audio files that the protocol lists and the tree does not hold."""
    return [trial.path for trial in trials if not trial.path.is_file()]


def known_systems(root: Path) -> frozenset[str]:
    """The attacks that training has seen: those of the train split."""
    return frozenset(t.system for t in read_protocol(root, "train") if t.is_spoof)


def _read_tree(root: Path, split: str) -> list[Trial]:
    file = _protocol_file(root, split)
    audio = _audio_folder(root, split)
    trials: list[Trial] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        columns = line.split()
        if len(columns) != 5:
            raise CorpusError(
                f"{file}, row {number}: found {len(columns)} columns, expected 5: "
                f"SPEAKER FILE - SYSTEM KEY. The row reads: {line.strip()!r}"
            )
        speaker, name, environment, system, key = columns
        if key not in KEYS:
            raise CorpusError(
                f"{file}, row {number}: key {key!r} is neither 'bonafide' nor 'spoof'."
            )
        try:
            check_label(key, system)
        except ValueError as error:
            raise CorpusError(f"{file}, row {number}: {error}.") from None
        if name in seen:
            raise CorpusError(
                f"{file}, row {number}: file {name!r} is listed already in row {seen[name]}."
            )
        seen[name] = number
        trials.append(
            Trial(
                speaker=speaker,
                file=name,
                system=system,
                key=key,
                path=audio / f"{name}.flac",
                extras={} if environment == "-" else {"environment": environment},
            )
        )
    if not trials:
        raise CorpusError(f"{file} lists no trial.")
    return trials


def _protocol_file(root: Path, split: str) -> Path:
    if not root.is_dir():
        raise CorpusError(
            f"there is no folder {root}. Build a corpus with: earlet corpus build --size demo "
            f"--out {root}"
        )
    found = sorted(root.glob(f"*_cm_protocols/*.cm.{_SUFFIX[split]}"))
    if len(found) != 1:
        raise CorpusError(
            f"{root} holds {len(found)} protocols for the split {split!r}, expected one: "
            f"*_cm_protocols/*.cm.{_SUFFIX[split]}. Point at the folder that holds the tree "
            "(for ASVspoof 2019 that is the folder LA); other published datasets are read with: "
            f"earlet corpus import KIND {root} --out DIR"
        )
    return found[0]


def _audio_folder(root: Path, split: str) -> Path:
    found = sorted(p for p in root.glob(f"*_{split}/flac") if p.is_dir())
    if len(found) != 1:
        raise CorpusError(
            f"{root} holds {len(found)} audio folders for the split {split!r}, expected one: "
            f"*_{split}/flac"
        )
    return found[0]
