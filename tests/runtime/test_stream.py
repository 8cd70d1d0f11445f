"""A stream says of a sound, piece by piece, what the detector says of its windows."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.heard import SHAPES, Sound, detectors, heard, spoken
from streams.small import CHUNK, POLICY, RATE_HZ, WINDOW, Shape, speech, write

import earlet
from earlet.detector import Detector
from earlet.errors import AudioError, UsageError
from earlet.manifest import WindowPolicy
from earlet.resample import resample
from earlet.verdict import Verdict
from earlet.windows import fit


def windowed(detector: Detector, sound: Sound, rate_hz: int, hop: int) -> list[Verdict]:
    """What the detector says of each window offline."""
    here = resample(sound, rate_hz, RATE_HZ)
    return [
        detector.verdict(detector.score(here[begin : begin + WINDOW]), begin, begin + WINDOW)
        for begin in range(0, len(here) - WINDOW + 1, hop)
    ]


def same(found: list[Verdict], wanted: list[Verdict], *, within: float) -> None:
    """The same verdicts, but for rounding in the score."""
    assert [dataclasses.replace(v, score=None, probability=None) for v in found] == [
        dataclasses.replace(v, score=None, probability=None) for v in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        assert (one.score is None) == (other.score is None)
        if one.score is not None:
            assert one.score == pytest.approx(other.score, abs=within)
            assert one.probability == pytest.approx(other.probability, abs=within)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Detector]:
    return detectors(tmp_path_factory.mktemp("exact"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A detector without a streaming graph."""
    return earlet.load(write(tmp_path_factory.mktemp("plain") / "b"))


@pytest.fixture(scope="module")
def taking_short(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Detector]:
    """Detectors that stream exactly, by what they do with a sound shorter than a window."""
    folder = tmp_path_factory.mktemp("short")
    kinds: tuple[Any, ...] = ("tile", "stretch", "zero")
    policies = {kind: dataclasses.replace(POLICY, short=kind) for kind in kinds}
    return {
        kind: earlet.load(write(folder / kind, Shape(late=60), window=policy))
        for kind, policy in policies.items()
    }


# What a verdict says.


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 48_000, 11_025])
def test_an_exact_stream_says_what_the_windows_say(
    exact: dict[str, Detector], shape: str, rate_hz: int
) -> None:
    sound = spoken(rate_hz=rate_hz)
    wanted = windowed(exact[shape], sound, rate_hz, CHUNK)
    assert {v.status for v in wanted} == {"ok", "no_signal"}
    assert np.ptp([v.score for v in wanted if v.score is not None]) > 0.05
    if rate_hz == RATE_HZ:
        assert {v.label for v in wanted} == {"human", "machine", None}
    stream = exact[shape].stream()
    assert stream.kind == "exact"
    same(heard(stream, sound, [], rate_hz), wanted, within=1e-5)


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_a_stream_of_windows_says_what_the_windows_say_bit_for_bit(
    plain: Detector, rate_hz: int
) -> None:
    sound = spoken(rate_hz=rate_hz)
    stream = plain.stream()
    assert stream.kind == "window"
    wanted = windowed(plain, sound, rate_hz, POLICY.hop_samples)
    assert heard(stream, sound, [], rate_hz) == wanted
    assert wanted == plain.windows(sound, rate_hz)[: len(wanted)]


def test_both_kinds_judge_the_same_windows(exact: dict[str, Detector]) -> None:
    sound = spoken()
    for detector in exact.values():
        anew = heard(detector.stream(kind="window"), sound, [], RATE_HZ)
        same(heard(detector.stream(kind="exact"), sound, [], RATE_HZ), anew, within=1e-5)
        assert anew == windowed(detector, sound, RATE_HZ, CHUNK)


def test_a_lone_file_recomputes_the_windows_of_its_bundles_stream(
    exact: dict[str, Detector],
) -> None:
    whole = exact["prompt"]
    lone = earlet.load(whole.bundle.path / "fp32.onnx")
    sound = spoken(1.2)
    stream = lone.stream()
    assert stream.kind == "window"
    same(
        heard(stream, sound, [], RATE_HZ),
        heard(whole.stream(), sound, [], RATE_HZ),
        within=1e-5,
    )
    with pytest.raises(UsageError, match="no streaming graph of precision 'fp32'"):
        lone.stream(kind="exact")


def test_the_shipped_detector_streams_its_windows() -> None:
    detector = earlet.load()
    rate, hop = 48_000, detector.manifest.window.hop_samples / detector.manifest.sample_rate_hz
    sound = speech(9, rate_hz=rate)
    offline_ones = detector.windows(sound, rate)
    stream = detector.stream(kind="window")
    found = heard(stream, sound, list(range(0, len(sound), 4801)), rate)
    if detector.manifest.stream is None:
        assert found == offline_ones[: len(found)]
        assert len(found) == len([v for v in offline_ones if v.start_s % hop == 0])
    assert found


# How the sound is cut.


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_pieces_change_nothing(exact: dict[str, Detector], data: st.DataObject) -> None:
    rate_hz = data.draw(st.sampled_from([RATE_HZ, 11_025, 16_000]))
    sound = spoken(data.draw(st.floats(0.2, 2)), rate_hz=rate_hz)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sound)), max_size=20)))
    detector = exact[data.draw(st.sampled_from(list(exact)))]
    stream = detector.stream(kind=data.draw(st.sampled_from(["exact", "window"])))
    whole = heard(stream, sound, [], rate_hz)
    stream.reset()
    assert heard(stream, sound, cuts, rate_hz) == whole


@pytest.mark.parametrize("kind", ["exact", "window"])
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 11_025])
def test_pieces_of_one_sample_to_ten_seconds_change_nothing(
    exact: dict[str, Detector], kind: Any, rate_hz: int
) -> None:
    sound = spoken(1.5, rate_hz=rate_hz)
    detector = exact["late"]
    found = [
        heard(detector.stream(kind=kind), sound, list(range(size, len(sound), size)), rate_hz)
        for size in (1, 2, 160, 1000, 4096, 10 * rate_hz)
    ]
    assert len(found[0]) == 1 + (12_000 - WINDOW) // CHUNK
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("kind", ["float64", "int16", "int32"])
def test_any_type_of_samples_will_do(exact: dict[str, Detector], kind: str) -> None:
    sound = spoken(2)
    scale = {"int16": 2**15, "int32": 2**31}.get(kind, 1)
    stream = exact["prompt"].stream()
    found = heard(stream, (sound.astype(np.float64) * scale).astype(kind), [777], RATE_HZ)
    wanted = heard(exact["prompt"].stream(), sound, [], RATE_HZ)
    for one, other in zip(found, wanted, strict=True):
        assert one.score == pytest.approx(other.score, abs=2e-3)


@pytest.mark.parametrize("channel", [0, 1, "mean"])
def test_a_channel_is_picked_moment_by_moment(exact: dict[str, Detector], channel: Any) -> None:
    both = np.stack([spoken(1.2), spoken(1.2, seed=1)], axis=1)
    wanted = {0: both[:, 0], 1: both[:, 1], "mean": both.astype(np.float64).mean(axis=1)}[channel]
    stream = exact["prompt"].stream()
    found = [v for row in both for v in stream.accept(row[None], RATE_HZ, channel=channel)]
    whole = exact["prompt"].stream()
    assert found == whole.accept(wanted, RATE_HZ)
    assert len(found) > 1


# When it says it.


@pytest.mark.parametrize("shape", list(SHAPES))
def test_the_first_verdict_comes_when_it_was_announced(
    exact: dict[str, Detector], shape: str
) -> None:
    stream = exact[shape].stream()
    sound = speech(3)
    first = round(stream.warmup_s * RATE_HZ)
    assert stream.accept(sound[: first - 1], RATE_HZ) == []
    assert stream.latest is None
    found = stream.accept(sound[first - 1 : first], RATE_HZ)
    assert [v.start_s for v in found] == [0]
    assert stream.latest is found[0]
    hop = round(stream.hop_s * RATE_HZ)
    assert hop == CHUNK
    later = stream.accept(sound[first : first + 3 * hop], RATE_HZ)
    assert [v.start_s for v in later] == [CHUNK * i / RATE_HZ for i in (1, 2, 3)]
    assert stream.latest is later[-1]
    assert stream.heard_s == (first + 3 * hop) / RATE_HZ


def test_a_window_stream_warms_up_for_a_window(plain: Detector) -> None:
    stream = plain.stream()
    assert (stream.warmup_s, stream.hop_s) == (0.5, 0.25)
    assert stream.accept(speech(1)[: WINDOW - 1], RATE_HZ) == []
    assert len(stream.accept(np.zeros(1, np.float32), RATE_HZ)) == 1


@given(st.integers(WINDOW, 3 * WINDOW), st.sampled_from(list(SHAPES)))
@settings(max_examples=40, deadline=None)
def test_the_end_gives_every_window_that_was_covered_and_no_other(
    exact: dict[str, Detector], length: int, shape: str
) -> None:
    sound = speech(1.5)[:length]
    stream = exact[shape].stream()
    found = stream.accept(sound, RATE_HZ) + stream.finish()
    same(found, windowed(exact[shape], sound, RATE_HZ, CHUNK), within=1e-5)
    assert found[-1].end_s <= length / RATE_HZ


def test_the_end_brings_what_waited_for_the_resampler(plain: Detector) -> None:
    stream = plain.stream()
    sound = spoken(0.5, rate_hz=44_100)
    assert stream.accept(sound, 44_100) == []
    assert stream.finish() == plain.windows(sound, 44_100)


@pytest.mark.parametrize("short", ["tile", "stretch", "zero"])
@pytest.mark.parametrize("kind", ["exact", "window"])
@pytest.mark.parametrize("length", [800, 1234, WINDOW - 1])
def test_a_sound_shorter_than_a_window_is_judged_whole(
    taking_short: dict[str, Detector], short: str, kind: Any, length: int
) -> None:
    detector = taking_short[short]
    sound = speech(1)[:length]
    stream = detector.stream(kind=kind)
    assert stream.accept(sound, RATE_HZ) == []
    found = stream.finish()
    assert found == detector.windows(sound, RATE_HZ)
    assert found[0].score == detector.scores(fit(sound, detector.manifest.window)[None])[0]
    assert stream.latest == found[0]


def test_one_too_short_even_for_that_is_refused_in_seconds(plain: Detector) -> None:
    stream = plain.stream()
    stream.accept(speech(1)[:799], RATE_HZ)
    with pytest.raises(AudioError, match=r"is 0\.0999 s long.* needs at least 0\.1 s"):
        stream.finish()
    stream.reset()
    with pytest.raises(AudioError, match="ended before it began"):
        stream.finish()


def test_a_detector_that_takes_no_short_sound_takes_none_in_pieces(tmp_path: Path) -> None:
    policy = WindowPolicy(window_samples=WINDOW, hop_samples=2000, min_samples=800, short="reject")
    stream = earlet.load(write(tmp_path / "b", Shape(), window=policy)).stream()
    stream.accept(speech(1)[: WINDOW - 1], RATE_HZ)
    with pytest.raises(AudioError, match=r"needs at least 0\.5 s"):
        stream.finish()
