"""ESC-50: fifty environmental sounds in five official folds, which are never reshuffled.

Published figures are the mean over five runs, each testing on another fold: import five times,
with `fold` 1 to 5. Clips from one recording (`src_file`, here the speaker) are all in one fold.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from earlet.trial import Trial
from earlet_train.corpus.importing.dataset import Dataset, Entry
from earlet_train.corpus.importing.folds import check_folds, refuse_an_absent_fold, split_of
from earlet_train.corpus.importing.rows import Listing, Row, read_rows

FOLDS = 5
LISTING = Listing(
    columns=("filename", "fold", "target", "category", "esc10", "src_file", "take"),
    separator=",",
    headed=True,
    example="1-100032-A-0.wav,1,0,dog,True,100032,A",
)
NAME = re.compile(r"(\d)-(\d+)-([A-Z])-(\d+)\.wav")


@dataclass(frozen=True, kw_only=True)
class Esc50(Dataset):
    """The labels are the categories as the table spells them; each has one number."""

    fold: int = 1
    dev_fold: int = 0
    title = "ESC-50"
    layout = "  meta/esc50.csv\n  audio/1-100032-A-0.wav, ...  (fold-source-take-target.wav)"
    rate_hz = 44_100
    nested = ("ESC-50-master", "ESC-50")

    def entries(self) -> Iterator[Entry]:
        """Every row of the table, split by its fold."""
        check_folds(fold=self.fold, dev_fold=self.dev_fold, folds=FOLDS)
        home = self.home("meta/esc50.csv", "audio")
        listing = home / "meta/esc50.csv"
        category_of: dict[str, str] = {}
        target_of: dict[str, str] = {}
        seen: set[int] = set()
        for row in read_rows(listing, LISTING):
            _check(row)
            target, category = row["target"], row["category"]
            if (
                category_of.setdefault(target, category) != category
                or target_of.setdefault(category, target) != target
            ):
                raise row.fault(
                    f"category {category!r} with target {target} contradicts a row above, where "
                    f"target {target} is {category_of[target]!r}"
                )
            number = int(row["fold"])
            seen.add(number)
            trial = Trial(
                speaker=row["src_file"],
                file=row["filename"].removesuffix(".wav"),
                system="-",
                key=category,
                path=home / "audio" / row["filename"],
                extras={
                    "fold": row["fold"],
                    "target": target,
                    "esc10": row["esc10"],
                    "take": row["take"],
                },
            )
            split = split_of(number, fold=self.fold, dev_fold=self.dev_fold)
            yield Entry(split=split, trial=trial, listing=row.file, row=row.number)
        refuse_an_absent_fold(seen, fold=self.fold, dev_fold=self.dev_fold, listing=listing)


def _check(row: Row) -> None:
    """The name repeats fold, source, take and target: where they differ, one of them is wrong."""
    row.one_of("fold", [str(number) for number in range(1, FOLDS + 1)])
    row.one_of("target", [str(number) for number in range(50)])
    parts = NAME.fullmatch(row["filename"])
    told = (row["fold"], row["src_file"], row["take"], row["target"])
    if parts is None or parts.groups() != told:
        raise row.fault(f"filename {row['filename']!r} is not {'-'.join(told)}.wav")
