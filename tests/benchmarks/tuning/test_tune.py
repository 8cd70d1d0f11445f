"""A policy is chosen on recordings, and put into the bundle."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tracks.made import SHARP, track

from earlet.bundle import Bundle, find
from earlet.detector import Detector
from earlet.errors import CorpusError, UsageError
from earlet.events import untuned
from earlet.replay import replay
from earlet.segments import read_segments
from earlet.write import check_written, write_bundle
from earlet_bench.tuning.bundle import EVENTS_FILE, with_events
from earlet_bench.tuning.hear import hear
from earlet_bench.tuning.judge import figures, outcomes

Cli = Callable[..., tuple[int, str, str]]


def test_a_policy_goes_into_the_bundle_and_changes_nothing_else(
    bundle: Path, tmp_path: Path
) -> None:
    before = find(bundle)
    point = figures(
        outcomes(SHARP, [track([2.0] * 9, (0.0, 6.0))], positive="spoof"), hours=0.1, resamples=0
    ).point("tones")
    files = with_events(before, policy=SHARP, point=point, told="{}\n")
    write_bundle(tmp_path / "tuned", files, check=check_written)
    after = find(tmp_path / "tuned")
    assert after.manifest.events == SHARP
    assert after.manifest.event_point == point
    assert EVENTS_FILE in after.check_files()
    noise = (np.random.default_rng(0).normal(size=(2, 4000)) / 5).astype(np.float32)
    for precision in before.precisions:
        assert replay(after, precision) == replay(before, precision)
        assert np.array_equal(Detector(after).scores(noise), Detector(before).scores(noise))
    # Tuned again, the first policy is gone without a trace.
    twice = with_events(after, policy=untuned(0.0), point=point, told="{}\n")
    once = with_events(before, policy=untuned(0.0), point=point, told="{}\n")
    assert twice == once
    lone = Bundle.open(tmp_path / "tuned" / "int8.onnx")
    assert lone.manifest.events == SHARP
    with pytest.raises(UsageError, match="Give the whole folder"):
        with_events(lone, policy=SHARP, point=point, told="{}\n")


def test_a_track_holds_the_verdicts_of_the_stream(bundle: Path, calls: Path) -> None:
    detector, recording = Detector(find(bundle)), read_segments(calls)[0]
    seconds: list[None] = []
    heard = hear(detector, recording, on_second=lambda: seconds.append(None))
    assert heard.duration_s == len(seconds) == 60
    assert heard.lag_s == 0
    sound, rate = soundfile.read(recording.path, dtype="float32")
    whole = detector.windows(sound, rate)
    assert [(v.start_s, v.end_s, v.score) for v in whole] == list(heard.verdicts)


def test_tune_writes_a_bundle_with_a_policy(
    cli: Cli, bundle: Path, calls: Path, tmp_path: Path
) -> None:
    out, picture = tmp_path / "tuned", tmp_path / "tune.png"
    code, shown, err = cli(
        *("tune", bundle, "--data", calls, "--held-out", calls, "--out", out, "--picture", picture)
    )
    assert code == 0, err
    head, base, *rows, chosen = shown.splitlines()
    assert head.startswith("what")
    assert base.startswith("untuned")
    assert [row.split()[0] for row in rows] == ["tuned", "tuned"]
    assert all("2 of 2" in row and "0.00 (0.00 to" in row for row in rows)
    assert "begins an event at" in chosen
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = json.loads((out / EVENTS_FILE).read_text())
    assert told["schema"] == "earlet.tune/1"
    assert told["tried"] > 100
    policy = find(out).manifest.events
    assert policy is not None
    assert told["rows"][1]["policy"] == dataclasses.asdict(policy)

    assert cli("verify", out)[0] == 0


def test_write_puts_the_policy_into_the_bundle_itself(cli: Cli, bundle: Path, calls: Path) -> None:
    code, shown, _ = cli("tune", bundle, "--data", calls, "--write", "--json")
    assert code == 0
    manifest = find(bundle).manifest
    assert manifest.events is not None
    assert manifest.event_point is not None
    assert manifest.event_point.misses == 0
    assert json.loads(shown)["rows"][1]["policy"] == dataclasses.asdict(manifest.events)


def test_a_detector_that_hears_the_opposite_gets_no_policy(
    cli: Cli, bundle: Path, calls: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "swapped"
    folder.mkdir()
    for file in calls.glob("*.flac"):
        (folder / file.name).symlink_to(file)
    text = (calls / "segments.csv").read_text()
    swapped = text.replace("spoof", "?").replace("bonafide", "spoof").replace("?", "bonafide")
    (folder / "segments.csv").write_text(swapped)
    out = tmp_path / "tuned"
    code, _, err = cli("tune", bundle, "--data", folder, "--out", out, "--false-alarms", 0)
    assert code == 1
    assert "with at most 0 false alarms per hour" in err
    assert "never stands, or always" in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (("", ""), ("--write", "--out", "x"), "two places"),
        (("spoof", "fake"), (), "labelled bonafide, fake"),
        (("60.0", "61.0"), (), "labels it up to 61.00 s"),
        (("", ""), ("--picture", "none/p.png"), "no folder none"),
        (("", ""), ("--picture", "p.jpg"), "Name it p.png"),
    ],
)
def test_what_cannot_be_tuned_on_is_refused(
    cli: Cli,
    bundle: Path,
    calls: Path,
    tmp_path: Path,
    change: tuple[str, str],
    options: tuple[str, ...],
    words: str,
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for file in calls.glob("*.flac"):
        (folder / file.name).symlink_to(file)
    text, (old, new) = (calls / "segments.csv").read_text(), change
    (folder / "segments.csv").write_text(text.replace(old, new))
    code, _, err = cli("tune", bundle, "--data", folder, *options)
    assert code == 2
    assert words in err


def test_a_file_that_is_no_sound_is_named(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no")
    (tmp_path / "segments.csv").write_text("file,start_s,end_s,label\na.wav,0,1,spoof\n")
    with pytest.raises(CorpusError, match=r"a\.wav is not a sound file"):
        hear(Detector(find(bundle)), read_segments(tmp_path)[0])


def test_the_shipped_detector_is_left_as_it_is(cli: Cli, calls: Path) -> None:
    code, _, err = cli("tune", "stream-cnn", "--data", calls, "--write")
    assert code == 2
    assert "came with the installation" in err
