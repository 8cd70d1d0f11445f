"""UrbanSound8K: ten sounds of the city in ten official folds, which are never reshuffled.

Published figures are the mean over ten runs, each testing on another fold: import ten times, with
`fold` 1 to 10. Slices of one recording (`fsID`, here the speaker) are all in one fold; dealing them
anew would let a network recognize the recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from earlet.trial import Trial
from earlet_train.corpus.importing.dataset import Dataset, Entry
from earlet_train.corpus.importing.folds import check_folds, refuse_an_absent_fold, split_of
from earlet_train.corpus.importing.rows import Listing, Row, read_rows

LABELS = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
FOLDS = 10
LISTING = Listing(
    columns=("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"),
    separator=",",
    headed=True,
    example="100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark",
)


@dataclass(frozen=True, kw_only=True)
class UrbanSound8K(Dataset):
    """Rates and channels differ from file to file, so training on it needs `--convert`."""

    fold: int = 1
    dev_fold: int = 0
    title = "UrbanSound8K"
    layout = """\
  metadata/UrbanSound8K.csv
  audio/fold1/101415-3-0-2.wav, ... audio/fold10/...  (fsID-classID-occurrence-slice.wav)"""
    rate_hz = None
    one_rate = False
    mono = False
    labels = LABELS
    nested = ("UrbanSound8K",)

    def entries(self) -> Iterator[Entry]:
        """Every row of the table, split by its fold."""
        check_folds(fold=self.fold, dev_fold=self.dev_fold, folds=FOLDS)
        home = self.home("metadata/UrbanSound8K.csv", "audio")
        listing = home / "metadata/UrbanSound8K.csv"
        seen: set[int] = set()
        for row in read_rows(listing, LISTING):
            _check(row)
            number = int(row["fold"])
            seen.add(number)
            name = row["slice_file_name"]
            trial = Trial(
                speaker=row["fsID"],
                file=name.removesuffix(".wav"),
                system="-",
                key=row["class"],
                path=home / "audio" / f"fold{number}" / name,
                extras={
                    "fold": row["fold"],
                    "salience": row["salience"],
                    "source_start_s": row["start"],
                    "source_end_s": row["end"],
                },
            )
            split = split_of(number, fold=self.fold, dev_fold=self.dev_fold)
            yield Entry(split=split, trial=trial, listing=row.file, row=row.number)
        refuse_an_absent_fold(seen, fold=self.fold, dev_fold=self.dev_fold, listing=listing)


def _check(row: Row) -> None:
    """Label, number and name must agree: they say the same thing three times."""
    label = row.one_of("class", LABELS)
    row.one_of("fold", [str(number) for number in range(1, FOLDS + 1)])
    if row["classID"] != str(LABELS.index(label)):
        raise row.fault(f"classID {row['classID']!r} is not that of {label}")
    if not row["slice_file_name"].startswith(f"{row['fsID']}-{row['classID']}-"):
        raise row.fault(f"slice_file_name {row['slice_file_name']!r} does not begin with its ids")
