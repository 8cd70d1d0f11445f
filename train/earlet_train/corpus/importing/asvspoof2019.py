"""ASVspoof 2019, logical access (synthetic and converted speech) and physical access (replay)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from earlet.trial import KEYS, SPLITS, Trial, check_label
from earlet_train.corpus.importing.dataset import Dataset, Entry
from earlet_train.corpus.importing.rows import Listing, Row, read_rows

SUFFIX = {"train": "train.trn", "dev": "dev.trl", "eval": "eval.trl"}
LAYOUT = """\
  ASVspoof2019_{track}_cm_protocols/ASVspoof2019.{track}.cm.train.trn.txt
  ASVspoof2019_{track}_cm_protocols/ASVspoof2019.{track}.cm.dev.trl.txt
  ASVspoof2019_{track}_cm_protocols/ASVspoof2019.{track}.cm.eval.trl.txt
  ASVspoof2019_{track}_train/flac/{track}_T_*.flac  (and _dev, _eval)"""


@dataclass(frozen=True, kw_only=True)
class Asvspoof2019(Dataset):
    """What both tracks share: five columns, bona fide or spoof, 16 kHz."""

    rate_hz = 16_000
    labels = KEYS
    track: ClassVar[str]
    listing: ClassVar[Listing]
    # What ENVIRONMENT and, in spoofed rows, ATTACK look like.
    environments: ClassVar[str]
    attacks: ClassVar[str]

    def entries(self) -> Iterator[Entry]:
        """Every row of the three protocols, in their order."""
        stem = f"ASVspoof2019_{self.track}"
        lists = {
            split: f"{stem}_cm_protocols/ASVspoof2019.{self.track}.cm.{SUFFIX[split]}.txt"
            for split in SPLITS
        }
        folders = {split: f"{stem}_{split}/flac" for split in SPLITS}
        home = self.home(*lists.values(), *folders.values())
        for split in SPLITS:
            for row in read_rows(home / lists[split], self.listing):
                self._check(row)
                trial = Trial(
                    speaker=row["SPEAKER"],
                    file=row["FILE"],
                    system=row["ATTACK"],
                    key=row["KEY"],
                    path=home / folders[split] / f"{row['FILE']}.flac",
                    extras={} if row["ENVIRONMENT"] == "-" else {"environment": row["ENVIRONMENT"]},
                )
                yield Entry(split=split, trial=trial, listing=row.file, row=row.number)

    def _check(self, row: Row) -> None:
        row.one_of("KEY", KEYS)
        try:
            check_label(row["KEY"], row["ATTACK"])
        except ValueError as error:
            raise row.fault(str(error)) from None
        for column, pattern in (
            ("ENVIRONMENT", self.environments),
            ("ATTACK", f"-|{self.attacks}"),
        ):
            if not re.fullmatch(pattern, row[column]):
                raise row.fault(f"{column} {row[column]!r} is not of the form {pattern}")


@dataclass(frozen=True, kw_only=True)
class Asvspoof2019La(Asvspoof2019):
    """Logical access. The pre-release names of attacks (SS_1, VC_4) are taken as they are."""

    title = "ASVspoof 2019 LA"
    layout = LAYOUT.format(track="LA")
    nested = ("LA",)
    track = "LA"
    listing = Listing(
        columns=("SPEAKER", "FILE", "ENVIRONMENT", "ATTACK", "KEY"),
        separator=None,
        headed=False,
        example="LA_0079 LA_T_1138215 - - bonafide",
    )
    environments = "-"
    attacks = r"A\d\d|(SS|US|VC)_\d"


@dataclass(frozen=True, kw_only=True)
class Asvspoof2019Pa(Asvspoof2019):
    """Physical access. `environment`: room, reverberation and distance, each a to c."""

    title = "ASVspoof 2019 PA"
    layout = LAYOUT.format(track="PA")
    nested = ("PA",)
    track = "PA"
    listing = Listing(
        columns=("SPEAKER", "FILE", "ENVIRONMENT", "ATTACK", "KEY"),
        separator=None,
        headed=False,
        example="PA_0079 PA_T_0000001 aaa - bonafide",
    )
    environments = "[abc]{3}"
    attacks = "[ABC]{2}"
