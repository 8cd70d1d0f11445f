"""Speech Commands v2: 35 words of one second, split by the two lists that come with it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from earlet.trial import Trial
from earlet_train.corpus.importing.dataset import Dataset, Entry
from earlet_train.corpus.importing.rows import Listing, read_rows

WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward"),
    *("four", "go", "happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on"),
    *("one", "right", "seven", "sheila", "six", "stop", "three", "tree", "two", "up"),
    *("visual", "wow", "yes", "zero"),
)
LISTS = {"dev": "validation_list.txt", "eval": "testing_list.txt"}
NOISE = "_background_noise_"
LISTING = Listing(
    columns=("FILE",), separator=None, headed=False, example="bed/00176480_nohash_0.wav"
)
NAME = re.compile(r"([a-z]+)/([0-9a-f]+)_nohash_(\d+)\.wav")


@dataclass(frozen=True, kw_only=True)
class SpeechCommandsV2(Dataset):
    """Listed for validation: dev; for testing: eval; everything else: train."""

    title = "Speech Commands v2"
    layout = """\
  validation_list.txt, testing_list.txt  (bed/00176480_nohash_0.wav, one a row)
  <word>/<speaker>_nohash_<n>.wav        (35 words)
  _background_noise_/*.wav               (not used)"""
    rate_hz = 16_000
    labels = WORDS
    nested = ("speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02")

    def entries(self) -> Iterator[Entry]:
        """Every listed recording, then whatever else lies in the folders of words."""
        home = self.home(*LISTS.values())
        listed: set[str] = set()
        for split, name in LISTS.items():
            for row in read_rows(home / name, LISTING):
                parts = NAME.fullmatch(row["FILE"])
                if parts is None or parts[1] not in WORDS:
                    raise row.fault(f"{row['FILE']!r} is not <word>/<speaker>_nohash_<n>.wav")
                listed.add(row["FILE"])
                yield _entry(home, row["FILE"], split, listing=row.file, row=row.number)
        for folder in sorted(home.iterdir()):
            if not folder.is_dir() or folder.name == NOISE or folder.name.startswith("."):
                continue
            if folder.name not in WORDS:
                raise self.misfit(folder, "is none of the 35 words")
            for file in sorted(folder.iterdir()):
                name = f"{folder.name}/{file.name}"
                if file.name.startswith("."):
                    continue
                if NAME.fullmatch(name) is None:
                    raise self.misfit(file, "is not named <speaker>_nohash_<n>.wav")
                if name not in listed:
                    yield _entry(home, name, "train", listing=folder, row=0)

    def left_out(self) -> dict[str, str]:
        """The recordings of noise."""
        noises = len(list((self.home(*LISTS.values()) / NOISE).glob("*.wav")))
        return {f"{NOISE}: {noises} files": "noise of minutes to mix in, no words"}


def _entry(home: Path, name: str, split: str, *, listing: Path, row: int) -> Entry:
    word, file = name.split("/")
    trial = Trial(
        speaker=file.split("_")[0],
        file=name.removesuffix(".wav"),
        system="-",
        key=word,
        path=home / name,
    )
    return Entry(split=split, trial=trial, listing=listing, row=row)
