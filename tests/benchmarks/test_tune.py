"""A policy is chosen on long recordings, judged by what was found when, and put into the bundle."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from earlet.bundle import Bundle, find
from earlet.cli import run
from earlet.detector import Detector
from earlet.errors import CorpusError, UsageError
from earlet.events import EventPolicy, untuned
from earlet.replay import replay
from earlet.segments import LongRecording, Segment, read_segments, segments_csv
from earlet.write import check_written, write_bundle
from earlet_bench.tuning.bundle import EVENTS_FILE, with_events
from earlet_bench.tuning.hear import Track, hear
from earlet_bench.tuning.judge import alarms, figures, outcome, outcomes, poisson_interval, quantile
from earlet_bench.tuning.page import table, with_interval
from earlet_bench.tuning.search import Grid, alarms_after_smoothing, choose, search, smoothed

HOP_S, WINDOW_S = 0.5, 2.0
Cli = Callable[..., tuple[int, str, str]]


def track(
    scores: Sequence[float | None], *sought: tuple[float, float], speaker: str = "a"
) -> Track:
    """A verdict each hop; `sought` are the stretches of the positive label."""
    duration_s = (len(scores) - 1) * HOP_S + WINDOW_S
    segments = [
        Segment(start_s=a, end_s=b, label="spoof", speaker=speaker, system="A01") for a, b in sought
    ] or [Segment(start_s=0.0, end_s=duration_s, label="bonafide", speaker=speaker)]
    return Track(
        recording=LongRecording(
            name=f"{speaker}.wav", path=Path(f"{speaker}.wav"), segments=tuple(segments)
        ),
        duration_s=duration_s,
        verdicts=tuple((k * HOP_S, k * HOP_S + WINDOW_S, s) for k, s in enumerate(scores)),
    )


SHARP = EventPolicy(on_threshold=1.0, off_threshold=1.0)
SCORES = st.lists(st.one_of(st.none(), st.floats(-4, 4)), min_size=1, max_size=80)


@given(
    SCORES,
    st.floats(-2, 2),
    st.floats(0, 2),
    *(st.sampled_from([0.0, 0.4, 1.0, 3.0]) for _ in range(4)),
)
def test_the_quick_search_follows_the_rules_of_events(
    scores: list[float | None],
    on: float,
    apart: float,
    smoothing_s: float,
    minimum_s: float,
    cool_down_s: float,
    silence_s: float,
) -> None:
    policy = EventPolicy(
        on_threshold=on,
        off_threshold=on - apart,
        smoothing_s=smoothing_s,
        minimum_s=minimum_s,
        cool_down_s=cool_down_s,
        silence_s=silence_s,
    )
    one = track(scores)
    quick = alarms_after_smoothing(policy, smoothed(one, smoothing_s, silence_s))
    slow = alarms(policy, one)
    assert quick == slow


def test_an_event_in_the_stretch_is_found_and_others_are_repeats_or_false() -> None:
    scores = [-2.0] * 60
    # Windows end at 2.0, 2.5, ...: false at 7.0; found at 17.0; again at 20.0; late at 26.5;
    # false at 29.0.
    for k in (10, 30, 36, 49, 54):
        scores[k] = 2.0
    one = track(scores, (15.0, 25.0))
    found = outcome(alarms(SHARP, one), one, positive="spoof")
    assert found.targets[0].latency_s == 2.0
    assert found.targets[0].unnoticed == 0.2
    assert (found.false_alarms, found.repeats) == (2, 2)
    # 31.5 s, less the stretch and a window after it.
    assert found.free_h * 3600 == pytest.approx(31.5 - 12.0)
    # Each single score stands for one hop; those of the two false ones.
    assert found.standing_h * 3600 == pytest.approx(2 * HOP_S)


def test_an_alarm_that_stands_already_is_no_find() -> None:
    one = track([2.0] * 60, (15.0, 25.0))
    found = outcome(alarms(SHARP, one), one, positive="spoof")
    assert found.targets[0].latency_s is None
    assert found.targets[0].unnoticed == 1.0
    assert (found.false_alarms, found.repeats) == (1, 0)
    # From when it is known to the end of the sound, but for the stretch and a window after it.
    assert found.standing_h * 3600 == pytest.approx(31.5 - 2.0 - 12.0)


def test_what_the_graph_lags_behind_is_added_to_the_latency() -> None:
    one = dataclasses.replace(track([-2.0] * 20 + [2.0] * 20, (10.0, 20.0)), lag_s=0.3)
    found = outcome(alarms(SHARP, one), one, positive="spoof")
    assert found.targets[0].latency_s == pytest.approx(2.3)


def test_missed_ones_are_later_than_any() -> None:
    tracks = [
        track([-2.0] * 20 + [2.0] * (20 * hit) + [-2.0] * (20 * (1 - hit)), (10.0, 20.0), speaker=s)
        for s, hit in (("a", 1), ("b", 1), ("c", 0))
    ]
    found = figures(outcomes(SHARP, tracks, positive="spoof"), hours=1.0)
    assert (found.targets, found.misses) == (3, 1)
    assert found.median_latency_s is not None
    assert found.median_latency_s.value == 2.0
    assert found.median_latency_s.high == math.inf
    assert found.p90_latency_s is None
    assert found.point("tones").p90_latency_s is None
    nothing = figures(outcomes(SHARP, tracks[2:], positive="spoof"), hours=1.0)
    assert nothing.median_latency_s is None


def test_no_false_alarm_in_an_hour_is_not_proof_of_none() -> None:
    tracks = [track([-2.0] * 7200, speaker=s) for s in "abc"]
    found = figures(outcomes(SHARP, tracks, positive="spoof"), hours=3.0)
    rate = found.false_alarms_per_hour
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(3.69 / 3.0, rel=0.01)
    assert with_interval(rate, digits=2) == "0.00 (0.00 to 1.23)"


@pytest.mark.parametrize("count", [0, 1, 4, 50])
def test_the_poisson_interval_is_the_textbooks(count: int) -> None:
    low, high = poisson_interval(count)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2 if count else 0.0, abs=1e-6)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2, abs=1e-6)


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_weighted_quantile_is_that_of_the_values_repeated(pairs: list[tuple[float, int]]) -> None:
    values = np.array([v for v, _ in pairs])
    weights = np.array([float(w) for _, w in pairs])
    repeated = np.sort(np.repeat(values, weights.astype(int)))
    for share in (0.5, 0.9):
        found = quantile(values, weights, share)
        if len(repeated):
            assert found == repeated[math.ceil(share * len(repeated) - 1e-9) - 1]
        else:
            assert found > 1e9


def noisy(seed: int, *sought: tuple[float, float], speaker: str = "a") -> Track:
    """Ten minutes: scores of unit noise around -1, and +1 within the sought stretches."""
    rng = np.random.default_rng(seed)
    end_s = np.arange(1200) * HOP_S + WINDOW_S
    inside = np.zeros(len(end_s), bool)
    for first, last in sought:
        inside |= (end_s > first) & (end_s <= last)
    scores = rng.normal(size=len(end_s)) + np.where(inside, 1.0, -1.0)
    return track(scores.tolist(), *sought, speaker=speaker)


SMALL = Grid(smoothing_s=(0.0, 2.0), minimum_s=(0.0, 1.0), apart=(0.0, 1.0))


def test_the_choice_keeps_to_the_budget_and_is_the_best_within_it() -> None:
    tracks = [noisy(k, (300.0, 600.0), speaker=s) for k, s in enumerate("abc")]
    tracks += [noisy(9, speaker="d")]
    tried = search(tracks, positive="spoof", grid=SMALL)
    assert len(tried) == len({t.policy for t in tried}) > 100
    found = {}
    for budget in (0.0, 5.0, 60.0):
        best = choose(tried, most_per_hour=budget)
        assert best is not None
        assert best.figures.false_alarms_per_hour.value <= budget
        found[budget] = best.figures.unnoticed.value
        allowed = [t for t in tried if t.figures.false_alarms_per_hour.value <= budget]
        least = min(t.figures.unnoticed.value + t.figures.standing.value for t in allowed)
        assert best.figures.unnoticed.value + best.figures.standing.value <= least + 0.1
    assert found[60.0] <= found[5.0] <= found[0.0] < 0.1
    # Single scores of this noise are no use: what was chosen smooths.
    best = choose(tried, most_per_hour=0.0)
    assert best is not None
    assert best.policy.smoothing_s == 2.0
    again = figures(outcomes(best.policy, tracks, positive="spoof"), hours=1.0, resamples=0)
    assert again.false_alarms == 0
    assert again.unnoticed == best.figures.unnoticed


def test_where_nothing_is_found_within_the_budget_there_is_no_choice() -> None:
    backwards = [track([2.0] * 20 + [-2.0] * 20, (10.0, 20.0), speaker=s) for s in "ab"]
    assert choose(search(backwards, positive="spoof", grid=SMALL), most_per_hour=0.0) is None


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


@pytest.fixture(scope="session")
def calls(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four minutes: two calls that turn from the tone least like spoof to the one most like it."""
    detector = Detector(find(exported))
    rate = detector.manifest.sample_rate_hz
    tones = {hz: sine(hz, 1.0, rate) for hz in range(200, 3900, 100)}
    scores = {hz: detector(tone, rate).score or 0.0 for hz, tone in tones.items()}
    real, made = min(scores, key=scores.__getitem__), max(scores, key=scores.__getitem__)
    assert scores[made] > scores[real]
    folder = tmp_path_factory.mktemp("calls")
    recordings = []
    for number, turns in enumerate((True, False, True, False)):
        name = f"c{number}.flac"
        parts = [sine(real, 30.0, rate), sine(made if turns else real, 30.0, rate)]
        soundfile.write(folder / name, np.concatenate(parts), rate)
        segments = [(0.0, 30.0, "bonafide"), (30.0, 60.0, "spoof" if turns else "bonafide")]
        recordings.append(
            LongRecording(
                name=name,
                path=folder / name,
                segments=tuple(
                    Segment(start_s=a, end_s=b, label=label, speaker=name)
                    for a, b, label in segments
                ),
            )
        )
    (folder / "segments.csv").write_text(segments_csv(recordings))
    return folder


def sine(hz: float, seconds: float, rate: int) -> NDArray[np.float32]:
    n = np.arange(round(seconds * rate))
    return (0.5 * np.sin(2 * np.pi * hz * n / rate)).astype(np.float32)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """(exit code, stdout, stderr) of a command."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_track_holds_the_verdicts_of_the_stream(bundle: Path, calls: Path) -> None:
    detector, recording = Detector(find(bundle)), read_segments(calls)[0]
    seconds: list[None] = []
    heard = hear(detector, recording, on_second=lambda: seconds.append(None))
    assert heard.duration_s == len(seconds) == 60
    assert heard.lag_s == 0
    sound, rate = soundfile.read(recording.path, dtype="float32")
    whole = detector.windows(sound, rate)
    assert [(v.start_s, v.end_s, v.score) for v in whole] == list(heard.verdicts)


def test_tune_writes_a_bundle_that_events_then_judges(
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

    code, shown, err = cli("events", out, bundle, "--data", calls, "--json")
    assert (code, err) == (0, "")
    record = json.loads(shown)
    found = {row["what"]: row for row in record["rows"]}
    assert set(found) == {"small untuned", "small tuned"}
    assert found["small tuned"]["false_alarms"] == 0
    assert found["small tuned"]["misses"] == 0
    assert found["small tuned"]["median_latency_s"]["value"] <= 1.5
    code, shown, _ = cli("events", out, "--data", calls, "--markdown")
    assert shown.splitlines()[1].count("---") == 10
    code, shown, _ = cli("events", out, "--data", calls, "--attacks")
    (line,) = [line for line in shown.splitlines() if line.startswith("-  ")]
    assert "2 of 2, half within" in line
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


def test_the_table_is_aligned() -> None:
    from earlet_bench.tuning.page import Row

    tracks = [noisy(k, (300.0, 600.0), speaker=s) for k, s in enumerate("ab")]
    found = outcomes(SHARP, tracks, positive="spoof")
    row = Row(what="w", data="d", policy=SHARP, figures=figures(found, hours=0.3), outcomes=found)
    lines: list[Any] = table([row, dataclasses.replace(row, what="a longer name")])
    assert len({line.index("2 of 2") for line in lines[1:]}) == 1
