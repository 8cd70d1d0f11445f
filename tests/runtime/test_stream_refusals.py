"""What a stream refuses: bad pieces, graphs that are not its own; after a bad piece it goes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams.heard import heard, spoken
from streams.small import RATE_HZ, Shape, offline, speech, streaming, write

import earlet
from earlet.detector import Detector
from earlet.errors import AudioError, BundleError, UsageError


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A detector that streams exactly."""
    return earlet.load(write(tmp_path_factory.mktemp("exact") / "b", Shape()))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A detector without a streaming graph."""
    return earlet.load(write(tmp_path_factory.mktemp("plain") / "b"))


# Pieces, and that the stream goes on.

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
def test_a_bad_piece_is_refused_and_nothing_of_it_is_taken(exact: Detector, kind: str) -> None:
    samples, rate_hz, message = BAD[kind]
    sound = spoken(1.2)
    stream = exact.stream()
    found = stream.accept(sound[:1000], RATE_HZ)
    with pytest.raises(AudioError, match=message):
        stream.accept(samples, rate_hz)
    assert stream.heard_s == 1000 / RATE_HZ
    found += stream.accept(sound[1000:], RATE_HZ) + stream.finish()
    assert found == heard(exact.stream(), sound, [], RATE_HZ)


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


def test_no_samples_are_no_fault_and_change_nothing(exact: Detector) -> None:
    stream = exact.stream()
    for empty in (np.zeros(0), np.zeros((0, 2)), np.zeros(0, np.int16)):
        assert stream.accept(empty, 48_000) == []
    # Not even the rate was settled.
    sound = spoken(1.2)
    assert stream.accept(sound, RATE_HZ) + stream.finish() == heard(
        exact.stream(), sound, [], RATE_HZ
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


@pytest.mark.parametrize("sources", [0, -3])
def test_no_streams_at_all_are_refused(plain: Detector, sources: int) -> None:
    with pytest.raises(UsageError, match=f"should be at least 1, found {sources}"):
        plain.streams(sources)


# Answers that are no numbers.


def test_a_model_that_answers_nan_is_not_believed_and_its_stream_is_over(
    exact: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = exact.stream()
    engine: Any = stream._engine
    real = engine.buffers.run_alone

    def broken(row: int) -> None:
        real(row)
        engine.buffers.logits[:] = np.nan

    monkeypatch.setattr(engine.buffers, "run_alone", broken)
    with pytest.raises(BundleError, match=r"fp32\.stream\.onnx answered with a number that is not"):
        stream.accept(speech(1), RATE_HZ)
    with pytest.raises(UsageError, match=r"the model failed on this stream\. Call reset\(\)"):
        stream.accept(speech(1), RATE_HZ)
    monkeypatch.undo()
    stream.reset()
    assert stream.accept(speech(1), RATE_HZ)


@pytest.mark.parametrize("bad", [[np.nan, 0], [0, np.inf], [-np.inf, np.inf]])
def test_an_answer_that_is_not_finite_is_no_score(exact: Detector, bad: list[float]) -> None:
    with pytest.raises(BundleError, match=r"^the graph answered with a number that is not finite"):
        exact.score_of(np.array(bad, np.float32), source="the graph")


# Graphs that are not the twin of the bundle.


def test_a_streaming_graph_alone_is_told_from_a_detector(exact: Detector) -> None:
    path = exact.bundle.path / "fp32.stream.onnx"
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
