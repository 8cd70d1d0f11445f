"""Reads who said what in a labelled corpus: ASVspoof 2019 protocols and the trees laid out so.

One tree, one reader, for ASVspoof 2019 LA as published and for earlet's own corpus:

    <root>/<NAME>_cm_protocols/<PREFIX>.cm.{train.trn,dev.trl,eval.trl}.txt
    <root>/<NAME>_{train,dev,eval}/flac/<FILE>.flac

Each protocol row holds five columns separated by spaces: SPEAKER FILE - SYSTEM KEY, where KEY is
`bonafide` or `spoof` and SYSTEM is `-` for bona fide rows.
"""

from dataclasses import dataclass
from pathlib import Path

from earlet.errors import CorpusError

SPLITS = ("train", "dev", "eval")
KEYS = ("bonafide", "spoof")
_SUFFIX = {"train": "train.trn.txt", "dev": "dev.trl.txt", "eval": "eval.trl.txt"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One row of a protocol. `system` is the attack's id, `-` for bona fide."""

    speaker: str
    file: str
    system: str
    key: str
    path: Path

    @property
    def is_spoof(self) -> bool:
        """Whether a machine made it: the positive class of every spoofing detector here."""
        return self.key == "spoof"


def read_protocol(root: Path, split: str) -> list[Trial]:
    """All trials of one split, in the protocol's order. Raises CorpusError.

    Checks the rows, not the audio: a missing file is reported by whoever opens it (or by
    `missing_files`).
    """
    if split not in SPLITS:
        raise CorpusError(f"there is no split {split!r}; the splits are {', '.join(SPLITS)}.")
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
        speaker, name, _, system, key = columns
        if key not in KEYS:
            raise CorpusError(
                f"{file}, row {number}: key {key!r} is neither 'bonafide' nor 'spoof'."
            )
        if (key == "bonafide") != (system == "-"):
            raise CorpusError(
                f"{file}, row {number}: key {key!r} does not fit system {system!r}: bona fide rows "
                "have '-' as their system, spoofed rows an attack's id."
            )
        if name in seen:
            raise CorpusError(
                f"{file}, row {number}: file {name!r} is listed already in row {seen[name]}."
            )
        seen[name] = number
        trials.append(
            Trial(speaker=speaker, file=name, system=system, key=key, path=audio / f"{name}.flac")
        )
    if not trials:
        raise CorpusError(f"{file} lists no trial.")
    return trials


def missing_files(trials: list[Trial]) -> list[Path]:
    """Audio files that the protocol lists and the tree does not hold."""
    return [trial.path for trial in trials if not trial.path.is_file()]


def known_systems(root: Path) -> frozenset[str]:
    """The attacks that training has seen: those of the train split."""
    return frozenset(t.system for t in read_protocol(root, "train") if t.is_spoof)


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
            "(for ASVspoof 2019 that is the folder LA)."
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
