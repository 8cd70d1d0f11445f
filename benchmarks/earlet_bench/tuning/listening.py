"""What `earlet tune` and `earlet events` share: sets of recordings, heard once, in rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earlet.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from earlet.bundle import Bundle
    from earlet.events import EventPolicy
    from earlet.segments import LongRecording
    from earlet_bench.tuning.hear import Track
    from earlet_bench.tuning.page import Row


def read_sets(folders: Sequence[Path]) -> "list[list[LongRecording]]":
    """The recordings of each folder, every file found as long as its table says. CorpusError."""
    from earlet.segments import read_segments
    from earlet_bench.tuning.hear import seconds_of

    sets = [read_segments(folder) for folder in folders]
    for recording in (r for recordings in sets for r in recordings):
        seconds_of(recording)
    return sets


def hear_all(
    bundle: "Bundle",
    recordings: "Sequence[LongRecording]",
    *,
    precision: str | None,
    threads: int,
) -> "list[Track]":
    """Stream every recording through the detector, with a bar on a terminal. CorpusError."""
    from earlet.detector import Detector
    from earlet_bench.progress import on_stderr
    from earlet_bench.tuning.hear import hear, seconds_of

    detector = Detector(bundle, precision=precision, threads=threads)
    with on_stderr() as progress:
        seconds = round(sum(seconds_of(one) for one in recordings))
        progress.stage("listening, in s of sound", seconds)
        return [hear(detector, one, on_second=progress.step) for one in recordings]


def row_of(
    what: str, policy: "EventPolicy", tracks: "Sequence[Track]", *, data: str, positive: str
) -> "Row":
    """A policy on what was heard, judged, with intervals."""
    from earlet_bench.tuning.judge import figures, outcomes
    from earlet_bench.tuning.page import Row

    found = outcomes(policy, tracks, positive=positive)
    hours = sum(track.duration_s for track in tracks) / 3600
    return Row(
        what=what,
        data=data,
        policy=policy,
        figures=figures(found, hours=hours),
        outcomes=found,
    )


def short_name(folder: Path) -> str:
    """`corpora/calls/dev` -> `calls/dev`: the last two parts tell sets of equal names apart."""
    return "/".join(folder.resolve().parts[-2:])


def check_picture(file: Path | None) -> None:
    """Early, before hours are heard. Raises UsageError, and MissingExtra without matplotlib."""
    from importlib.util import find_spec

    if file is None:
        return
    if file.suffix.lower() != ".png":
        raise UsageError(
            f"--picture {file} does not end in .png, and pictures are drawn as PNG. Name it "
            f"{file.with_suffix('.png').name}."
        )
    if find_spec("matplotlib") is None:
        raise MissingExtra(module="matplotlib", extra="bench")
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent} for the picture. Make it first.")
