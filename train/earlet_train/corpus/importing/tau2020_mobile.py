"""TAU Urban Acoustic Scenes 2020 Mobile (DCASE 2020 task 1A): ten scenes, many devices.

As published there are two parts, train and evaluate (here `eval`); `dev_share` sets whole recording
locations of train apart for `dev`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from earlet.trial import Trial
from earlet_train.corpus.importing.apart import set_apart
from earlet_train.corpus.importing.dataset import Dataset, Entry
from earlet_train.corpus.importing.rows import Listing, read_rows

LABELS = (
    *("airport", "bus", "metro", "metro_station", "park"),
    *("public_square", "shopping_mall", "street_pedestrian", "street_traffic", "tram"),
)
PARTS = {"train": "fold1_train.csv", "eval": "fold1_evaluate.csv"}
LISTING = Listing(
    columns=("filename", "scene_label"),
    separator="\t",
    headed=True,
    example="audio/airport-lisbon-1000-40000-a.wav<tab>airport",
)
# Scene, city, location, segment, device: a, b, c are real, s1 to s6 simulated.
NAME = re.compile(r"audio/([a-z_]+)-([a-z]+)-(\d+)-(\d+)-([abc]|s[1-6])\.wav")


@dataclass(frozen=True, kw_only=True)
class Tau2020Mobile(Dataset):
    """`speaker` is the place of recording, `device` the device, which is what varies here."""

    dev_share: float = 0.0
    seed: int = 0
    title = "TAU Urban Acoustic Scenes 2020 Mobile, development dataset"
    layout = """\
  evaluation_setup/fold1_train.csv     (filename<tab>scene_label)
  evaluation_setup/fold1_evaluate.csv
  audio/airport-lisbon-1000-40000-a.wav, ...  (scene-city-location-segment-device)"""
    rate_hz = 44_100
    labels = LABELS
    nested = ("TAU-urban-acoustic-scenes-2020-mobile-development",)

    def entries(self) -> Iterator[Entry]:
        """Every row of both lists."""
        yield from set_apart(
            self._published(),
            of="train",
            shares={"dev": self.dev_share} if self.dev_share else {},
            seed=self.seed,
        )

    def _published(self) -> Iterator[Entry]:
        lists = {split: f"evaluation_setup/{name}" for split, name in PARTS.items()}
        home = self.home(*lists.values(), "audio")
        for split, name in lists.items():
            for row in read_rows(home / name, LISTING):
                scene = row.one_of("scene_label", LABELS)
                parts = NAME.fullmatch(row["filename"])
                if parts is None or parts[1] != scene:
                    raise row.fault(
                        f"filename {row['filename']!r} is not of the form "
                        f"audio/{scene}-CITY-LOCATION-SEGMENT-DEVICE.wav"
                    )
                _, city, location, segment, device = parts.groups()
                trial = Trial(
                    speaker=f"{city}-{location}",
                    file=row["filename"].removeprefix("audio/").removesuffix(".wav"),
                    system="-",
                    key=scene,
                    path=home / row["filename"],
                    extras={"device": device, "city": city, "segment": segment},
                )
                yield Entry(split=split, trial=trial, listing=row.file, row=row.number)
