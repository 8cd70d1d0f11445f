"""A folder of recordings per label, with or without a folder per split around them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from earlet.trial import SPLITS, Trial
from earlet_train.corpus.importing.apart import set_apart
from earlet_train.corpus.importing.dataset import Dataset, Entry, system_of

# What others call the three splits.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "val": "dev",
    "validation": "dev",
    "eval": "eval",
    "test": "eval",
    "testing": "eval",
}
AUDIO = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True, kw_only=True)
class Folders(Dataset):
    """Every folder's name is a label; `bona-fide` and `bonafide` are one.

    Without folders for the splits, recordings are dealt out one by one, each label by itself: who
    speaks is not told, so one voice may be on both sides. Where it is known, use `csv`.
    """

    dev_share: float = 0.1
    eval_share: float = 0.2
    seed: int = 0
    title = "a folder per label"
    layout = """\
  <label>/*.wav           dealt out to train, dev and eval
or
  train/<label>/*.wav     dev/<label>/*.wav     eval/<label>/*.wav"""
    rate_hz = None

    def entries(self) -> Iterator[Entry]:
        """Every recording in order of label and name, in its own split or dealt out."""
        folders = _folders(self.home())
        if not folders:
            raise self.misfit(self.root, "holds no folder")
        named = [folder for folder in folders if folder.name in SPLIT_NAMES]
        if named and len(named) != len(folders):
            odd = next(folder for folder in folders if folder.name not in SPLIT_NAMES)
            raise self.misfit(odd, f"is no split, and {named[0].name} beside it is one")
        if not named:
            shares = {"dev": self.dev_share, "eval": self.eval_share}
            yield from set_apart(
                self._labelled(self.root, "train"), of="train", shares=shares, seed=self.seed
            )
            return
        for split in SPLITS:
            for folder in named:
                if SPLIT_NAMES[folder.name] == split:
                    yield from self._labelled(folder, split)

    def _labelled(self, parent: Path, split: str) -> Iterator[Entry]:
        labels = _folders(parent)
        if not labels:
            raise self.misfit(parent, "holds no folder, expected one for each label")
        for folder in labels:
            key = "bonafide" if folder.name == "bona-fide" else folder.name
            files = sorted(f for f in folder.rglob("*") if f.is_file() and f.name[0] != ".")
            if not files:
                raise self.misfit(folder, "is empty")
            for file in files:
                if file.suffix.lower() not in AUDIO:
                    raise self.misfit(file, f"is no recording (none of {' '.join(AUDIO)})")
                trial = Trial(
                    speaker="-",
                    file=file.relative_to(self.root).as_posix(),
                    system=system_of(key),
                    key=key,
                    path=file,
                )
                yield Entry(split=split, trial=trial, listing=folder, row=0)


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith("."))
