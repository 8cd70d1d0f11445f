"""A stream says of a sound, piece by piece, what the detector says of its windows."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from streams.small import CHUNK, POLICY, RATE_HZ, WINDOW, Shape, offline, speech, streaming, write

import earlet
from earlet.detector import Detector
from earlet.errors import AudioError, BundleError, UsageError
from earlet.manifest import WindowPolicy
from earlet.resample import resample
from earlet.stream import Stream
from earlet.verdict import Verdict
from earlet.windows import fit

Sound = NDArray[np.float32]

# The twin answers as soon as it can, later, and before its window is over; in bytes.
SHAPES = {
    "prompt": Shape(),
    "late": Shape(late=60),
    "early": Shape(late=-60),
    "bytes": Shape(in_bytes=True),
}


def spoken(seconds: float = 4.0, rate_hz: int = RATE_HZ, seed: int = 0) -> Sound:
    """Speech with a second of silence in its middle: some windows hold nothing."""
    sound = speech(seconds, rate_hz=rate_hz, seed=seed)
    sound[len(sound) // 2 :][:rate_hz] = 0
    return sound


def heard(stream: Stream, sound: NDArray[Any], cuts: list[int], rate_hz: int) -> list[Verdict]:
    found = [v for piece in np.split(sound, cuts) for v in stream.accept(piece, rate_hz)]
    return found + stream.finish()


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
    folder = tmp_path_factory.mktemp("exact")
    return {name: earlet.load(write(folder / name, shape)) for name, shape in SHAPES.items()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A detector without a streaming graph."""
    return earlet.load(write(tmp_path_factory.mktemp("plain") / "b"))


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
    tmp_path: Path, short: Any, kind: Any, length: int
) -> None:
    policy = dataclasses.replace(POLICY, short=short)
    detector = earlet.load(write(tmp_path / "b", Shape(late=60), window=policy))
    sound = speech(1)[:length]
    stream = detector.stream(kind=kind)
    assert stream.accept(sound, RATE_HZ) == []
    found = stream.finish()
    assert found == detector.windows(sound, RATE_HZ)
    assert found[0].score == detector.scores(fit(sound, policy)[None])[0]
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


# Beginning anew, and beside each other.


@given(st.integers(1, 12_000), st.sampled_from(list(SHAPES)), st.booleans())
@settings(max_examples=40, deadline=None)
def test_after_a_reset_nothing_is_left_of_the_sound_before(
    exact: dict[str, Detector], before: int, shape: str, finished: bool
) -> None:
    detector, sound = exact[shape], spoken(1.2)
    stream = detector.stream()
    stream.accept(spoken(1.5, rate_hz=11_025, seed=1)[:before], 11_025)
    if finished and before > 2000:
        stream.finish()
    stream.reset()
    assert (stream.latest, stream.heard_s) == (None, 0)
    assert heard(stream, sound, [], RATE_HZ) == heard(detector.stream(), sound, [], RATE_HZ)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3000)), min_size=10, max_size=40))
@settings(max_examples=30, deadline=None)
def test_streams_of_one_detector_do_not_hear_each_other(
    exact: dict[str, Detector], turns: list[tuple[int, int]]
) -> None:
    detector = exact["late"]
    sounds = [spoken(1.2, seed=i) for i in range(3)]
    streams = [detector.stream() for _ in range(3)]
    at, found = [0, 0, 0], [[], [], []]  # type: tuple[list[int], list[list[Verdict]]]
    for i, count in turns:
        found[i] += streams[i].accept(sounds[i][at[i] : at[i] + count], RATE_HZ)
        at[i] = min(at[i] + count, len(sounds[i]))
    for i in range(3):
        alone = detector.stream()
        assert found[i] == alone.accept(sounds[i][: at[i]], RATE_HZ)


def test_a_stream_runs_on_without_growing(exact: dict[str, Detector]) -> None:
    stream = exact["late"].stream()
    stream.accept(speech(0.4, rate_hz=11_025), 11_025)
    opening = stream.state_bytes
    stream.accept(speech(0.6, rate_hz=11_025), 11_025)
    size = stream.state_bytes
    assert size == opening - 4 * WINDOW
    for i in range(50):
        stream.accept(speech(1, rate_hz=11_025, seed=i), 11_025)
    assert stream.state_bytes == size
    # A level or two that wait for their scores.
    assert len(stream._levels.ready) <= 2
    assert len(stream._engine.scores) <= 2


# What is refused, and that the stream goes on.

BAD: dict[str, tuple[Any, int, str]] = {
    "nan": (np.array([0.1, np.nan, 0.2]), RATE_HZ, r"1 of 1003 samples.*first is sample 1001"),
    "scale": (np.array([3000.0, -2.0]), RATE_HZ, r"reach 3000.*scale them first"),
    "stereo": (np.zeros((50, 2)), RATE_HZ, r"has 2 channels.*channel='mean'"),
    "turned": (np.zeros((2, 50)), RATE_HZ, r"turned first: samples\.T"),
    "type": (np.zeros(50, np.int64), RATE_HZ, "type int64 are not understood"),
    "rate": (np.zeros(50), 16_000, r"8000 Hz so far, and now at 16000 Hz.*reset\(\) the"),
    "no rate": (np.zeros(50), 16, "the sample rate should lie in"),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_piece_is_refused_and_nothing_of_it_is_taken(
    exact: dict[str, Detector], kind: str
) -> None:
    samples, rate_hz, message = BAD[kind]
    sound = spoken(1.2)
    stream = exact["prompt"].stream()
    found = stream.accept(sound[:1000], RATE_HZ)
    with pytest.raises(AudioError, match=message):
        stream.accept(samples, rate_hz)
    assert stream.heard_s == 1000 / RATE_HZ
    found += stream.accept(sound[1000:], RATE_HZ) + stream.finish()
    assert found == heard(exact["prompt"].stream(), sound, [], RATE_HZ)


def test_sixteen_bit_integers_as_floats_are_told_at_once(plain: Detector) -> None:
    with pytest.raises(AudioError, match=r"divide them by 32768.*Nothing of this piece was taken"):
        plain.stream().accept(np.rint(speech(1) * 32768), RATE_HZ)


def test_quiet_integers_as_floats_are_told_after_a_second(plain: Detector) -> None:
    quiet = np.random.default_rng(0).integers(-1, 2, 9000).astype(np.float32)
    stream = plain.stream()
    for i in range(0, 7900, 100):
        stream.accept(quiet[i : i + 100], RATE_HZ)
    with pytest.raises(AudioError, match="every sample is -1, 0 or 1"):
        stream.accept(quiet[7900:8000], RATE_HZ)
    assert stream.heard_s == 7900 / RATE_HZ
    with pytest.raises(AudioError, match="every sample is -1, 0 or 1"):
        stream.finish()


def test_a_moment_at_full_scale_is_sound(plain: Detector) -> None:
    stream = plain.stream()
    sound = np.concatenate([np.ones(3, np.float32), speech(0.6)])
    for sample in sound[:5]:
        stream.accept(np.array([sample]), RATE_HZ)
    assert stream.accept(sound[5:], RATE_HZ)


def test_no_samples_are_no_fault_and_change_nothing(exact: dict[str, Detector]) -> None:
    stream = exact["prompt"].stream()
    for empty in (np.zeros(0), np.zeros((0, 2)), np.zeros(0, np.int16)):
        assert stream.accept(empty, 48_000) == []
    # Not even the rate was settled.
    sound = spoken(1.2)
    assert stream.accept(sound, RATE_HZ) + stream.finish() == heard(
        exact["prompt"].stream(), sound, [], RATE_HZ
    )


def test_after_the_end_there_is_no_more_until_a_reset(plain: Detector) -> None:
    stream = plain.stream()
    stream.accept(speech(1), RATE_HZ)
    stream.finish()
    with pytest.raises(UsageError, match=r"was finished\. Call reset\(\)"):
        stream.accept(speech(1), RATE_HZ)
    with pytest.raises(UsageError, match=r"was finished\. Call reset\(\)"):
        stream.finish()
    stream.reset()
    assert stream.accept(speech(1), 16_000) == []


def test_a_model_that_answers_nan_is_not_believed_and_its_stream_is_over(
    exact: dict[str, Detector], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = exact["prompt"].stream()
    engine: Any = stream._engine
    real = engine.buffers.run

    def broken(rows: Any) -> None:
        real(rows)
        engine.buffers.logits[:] = np.nan

    monkeypatch.setattr(engine.buffers, "run", broken)
    with pytest.raises(BundleError, match=r"fp32\.stream\.onnx answered with a number that is not"):
        stream.accept(speech(1), RATE_HZ)
    with pytest.raises(UsageError, match=r"the model failed on this stream\. Call reset\(\)"):
        stream.accept(speech(1), RATE_HZ)
    monkeypatch.undo()
    stream.reset()
    assert stream.accept(speech(1), RATE_HZ)


# Which bundles stream how.


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


def test_a_streaming_graph_alone_is_told_from_a_detector(exact: dict[str, Detector]) -> None:
    path = exact["prompt"].bundle.path / "fp32.stream.onnx"
    with pytest.raises(BundleError, match="is the streaming graph of a bundle"):
        earlet.load(path)


def test_a_bundle_whose_states_are_not_its_graphs_is_refused_with_both_lists(
    tmp_path: Path,
) -> None:
    detector = earlet.load(write(tmp_path / "b", Shape(), twin=streaming(Shape(late=5))))
    with pytest.raises(BundleError, match=r"Found: .*ring float32 \[B, 4, 252\].* Expected: .*247"):
        detector.stream()
    assert detector(speech(1), RATE_HZ).status == "ok"


def test_an_offline_graph_in_the_place_of_the_twin_is_refused(tmp_path: Path) -> None:
    detector = earlet.load(write(tmp_path / "b", Shape(), twin=offline(Shape())))
    with pytest.raises(BundleError, match=r"the inputs of .*stream\.onnx are not those"):
        detector.stream()


def test_a_streaming_graph_with_one_byte_changed_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", Shape())
    file = folder / "fp32.stream.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError, match=r"stream\.onnx is not the file that was exported"):
        earlet.load(folder).stream()


def test_threads_may_stream_from_one_detector(exact: dict[str, Detector]) -> None:
    detector = exact["late"]
    sounds = [spoken(1.2, seed=i) for i in range(8)]
    alone = [heard(detector.stream(), sound, [], RATE_HZ) for sound in sounds]

    def listen(sound: Sound) -> list[Verdict]:
        return heard(detector.stream(), sound, list(range(0, len(sound), 333)), RATE_HZ)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(listen, sounds)) == alone


@pytest.mark.parametrize("sources", [0, -3])
def test_no_streams_at_all_are_refused(plain: Detector, sources: int) -> None:
    with pytest.raises(UsageError, match=f"should be at least 1, found {sources}"):
        plain.streams(sources)


@pytest.mark.parametrize("bad", [[np.nan, 0], [0, np.inf], [-np.inf, np.inf]])
def test_an_answer_that_is_not_finite_is_no_score(
    exact: dict[str, Detector], bad: list[float]
) -> None:
    with pytest.raises(BundleError, match=r"^the graph answered with a number that is not finite"):
        exact["prompt"].score_of(np.array(bad, np.float32), source="the graph")
