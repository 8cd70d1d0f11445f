"""In-the-Wild: speech of public persons as found on the web, true and faked.

Published to test on alone, so everything is in the split `eval`; `by_speaker` deals speakers out
to train, dev and eval instead (60, 20 and 20 % of the recordings), for studies of domain shift.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from earlet.trial import KEYS, Trial
from earlet_train.corpus.importing.apart import set_apart
from earlet_train.corpus.importing.dataset import Dataset, Entry, system_of
from earlet_train.corpus.importing.rows import Listing, read_rows

LISTING = Listing(
    columns=("file", "speaker", "label"),
    separator=",",
    headed=True,
    example="0.wav,Alec Guinness,spoof",
)


@dataclass(frozen=True, kw_only=True)
class InTheWild(Dataset):
    """`meta.csv` and the files beside it; what made the fakes is not told (`unnamed`)."""

    by_speaker: bool = False
    seed: int = 0
    title = "In-the-Wild"
    layout = "  meta.csv  (file,speaker,label)\n  0.wav, 1.wav, ..."
    rate_hz = 16_000
    labels = KEYS
    nested = ("release_in_the_wild",)

    def entries(self) -> Iterator[Entry]:
        """Every row of meta.csv, all in eval or dealt out by speaker."""
        if not self.by_speaker:
            yield from self._published()
            return
        yield from set_apart(
            self._published(), of="eval", shares={"train": 0.6, "dev": 0.2}, seed=self.seed
        )

    def _published(self) -> Iterator[Entry]:
        home = self.home("meta.csv")
        for row in read_rows(home / "meta.csv", LISTING):
            key = row.one_of("label", ("bona-fide", "bonafide", "spoof")).replace("-", "")
            trial = Trial(
                speaker=row["speaker"],
                file=row["file"].removesuffix(".wav"),
                system=system_of(key),
                key=key,
                path=home / row["file"],
            )
            yield Entry(split="eval", trial=trial, listing=row.file, row=row.number)
