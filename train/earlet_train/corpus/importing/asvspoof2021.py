"""ASVspoof 2021 with its published keys: telephony (LA), compression (DF), real replay (PA).

There is nothing to train on: training is on ASVspoof 2019. Each subset becomes a split of its own,
so that the headline (`eval`) is never mixed with what was scored during the challenge (`progress`)
or with the recordings whose silences were cut (`hidden`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from earlet.trial import KEYS, Trial
from earlet_train.corpus.importing.dataset import Dataset, Entry
from earlet_train.corpus.importing.rows import Listing, Row, read_rows

SUBSETS = ("eval", "progress", "hidden")
LAYOUT = """\
  ASVspoof2021_{track}_eval/flac/{track}_E_*.flac
  keys/{track}/CM/trial_metadata.txt  (from {track}-keys-full.tar.gz; elsewhere: --keys FOLDER)"""
CODECS = ("none", "alaw", "pstn", "g722", "ulaw", "gsm", "opus")


@dataclass(frozen=True, kw_only=True)
class Asvspoof2021(Dataset):
    """What the three tracks share. `keys`: where trial_metadata.txt is, if elsewhere.

    Columns that are not a trial's own become extras under their lower-case name.
    """

    keys: Path | None = None
    rate_hz = 16_000
    labels = KEYS
    track: ClassVar[str]
    listing: ClassVar[Listing]

    def entries(self) -> Iterator[Entry]:
        """Every row of the keys, each in the split that its subset names."""
        audio = f"ASVspoof2021_{self.track}_eval/flac"
        home = self.home(audio)
        metadata = self._metadata(home)
        listed = self._listed(home / f"ASVspoof2021_{self.track}_eval")
        for row in read_rows(metadata, self.listing):
            key, subset = row.one_of("LABEL", KEYS), row.one_of("SUBSET", SUBSETS)
            self.check(row)
            name = row["TRIAL"]
            if listed is not None:
                listed.discard(name)
            system = self.attack(row)
            if (key == "spoof") != (system != "-"):
                raise row.fault(f"label {key!r} does not fit the attack {system!r}")
            trial = Trial(
                speaker=row["SPEAKER"],
                file=name,
                system=system,
                key=key,
                path=home / audio / f"{name}.flac",
                extras={
                    column.lower(): row[column]
                    for column in self.listing.columns
                    if column not in ("SPEAKER", "TRIAL", "ATTACK", "LABEL", "SUBSET")
                    and row[column] != "-"
                },
            )
            yield Entry(split=subset, trial=trial, listing=row.file, row=row.number)
        if listed:
            raise self.misfit(
                metadata,
                f"has no key for {len(listed)} of the trials in the published list, the first is "
                f"{min(listed)}",
            )

    def attack(self, row: Row) -> str:
        """The attack's id, `-` for bona fide rows (which say `bonafide` in LA, `-` in DF)."""
        return "-" if row["ATTACK"] in ("bonafide", "-") else row["ATTACK"]

    def check(self, row: Row) -> None:
        """What else a row of this track must hold. Raises CorpusError."""

    def _metadata(self, home: Path) -> Path:
        """Where the archive of keys was unpacked: beside the audio, in a folder of its own, ..."""
        own = Path("keys") / self.track / "CM"
        if self.keys is None:
            places = [home / own, home / f"{self.track}-keys-full" / own, home / "keys" / "CM"]
        else:
            inner = ("", "CM", f"{self.track}/CM", f"keys/{self.track}/CM")
            places = [self.keys / name for name in inner]
        files = [place / "trial_metadata.txt" for place in places]
        if self.keys is not None and self.keys.is_file():
            files = [self.keys]
        found = next((file for file in files if file.is_file()), None)
        if found is None:
            raise self.misfit(files[0], "is missing")
        return found

    def _listed(self, folder: Path) -> set[str] | None:
        """The trials of the list that comes with the audio, None where it is not there."""
        file = folder / f"ASVspoof2021.{self.track}.cm.eval.trl.txt"
        if not file.is_file():
            return None
        one = Listing(
            columns=("TRIAL",), separator=None, headed=False, example=f"{self.track}_E_9332881"
        )
        return {row["TRIAL"] for row in read_rows(file, one)}


@dataclass(frozen=True, kw_only=True)
class Asvspoof2021La(Asvspoof2021):
    """Logical access over telephony. `codec` none ... opus are the plan's C1 ... C7."""

    title = "ASVspoof 2021 LA"
    layout = LAYOUT.format(track="LA")
    nested = ("LA",)
    track = "LA"
    listing = Listing(
        columns=(
            *("SPEAKER", "TRIAL", "CODEC", "TRANSMISSION"),
            *("ATTACK", "LABEL", "TRIM", "SUBSET"),
        ),
        separator=None,
        headed=False,
        example="LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval",
    )

    def check(self, row: Row) -> None:
        """The codec is one of the seven."""
        row.one_of("CODEC", CODECS)


@dataclass(frozen=True, kw_only=True)
class Asvspoof2021Df(Asvspoof2021):
    """Deepfake: media codecs, and attacks of ASVspoof 2019 and both Voice Conversion Challenges."""

    title = "ASVspoof 2021 DF"
    layout = LAYOUT.format(track="DF")
    nested = ("DF",)
    track = "DF"
    listing = Listing(
        columns=(
            *("SPEAKER", "TRIAL", "COMPRESSION", "SOURCE", "ATTACK", "LABEL", "TRIM", "SUBSET"),
            *("VOCODER", "TASK", "TEAM", "GENDER_PAIR", "LANGUAGE"),
        ),
        separator=None,
        headed=False,
        example="LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim progress "
        "traditional_vocoder - - - -",
    )


@dataclass(frozen=True, kw_only=True)
class Asvspoof2021Pa(Asvspoof2021):
    """Real replay. An attack's id is made of its distance and its device, as in 2019: `c3-s2`."""

    title = "ASVspoof 2021 PA"
    layout = LAYOUT.format(track="PA")
    nested = ("PA",)
    track = "PA"
    listing = Listing(
        columns=(
            *("SPEAKER", "TRIAL", "ASV_ROOM", "ASV_MIC", "DISTANCE_TO_ASV", "ATTACK_ROOM"),
            *("ATTACK_MIC", "ATTACK_DEVICE", "ATTACK_TO_SPEAKER", "LABEL", "TRIM", "SUBSET"),
        ),
        separator=None,
        headed=False,
        example="PA_0010 PA_E_1000001 R1 M3 D4 r1 m1 s4 c4 spoof notrim eval",
    )

    def attack(self, row: Row) -> str:
        """The attacker's distance and device, `-` for bona fide rows."""
        parts = (row["ATTACK_TO_SPEAKER"], row["ATTACK_DEVICE"])
        return "-" if parts == ("-", "-") or row["LABEL"] == "bonafide" else "-".join(parts)
