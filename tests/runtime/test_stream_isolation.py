"""A stream hears one sound: nothing of the one before, nor of those beside, and keeps no more."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams.heard import SHAPES, Sound, detectors, heard, spoken
from streams.small import RATE_HZ, WINDOW, speech

from earlet.detector import Detector
from earlet.verdict import Verdict


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Detector]:
    return detectors(tmp_path_factory.mktemp("exact"))


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


def test_threads_may_stream_from_one_detector(exact: dict[str, Detector]) -> None:
    detector = exact["late"]
    sounds = [spoken(1.2, seed=i) for i in range(8)]
    alone = [heard(detector.stream(), sound, [], RATE_HZ) for sound in sounds]

    def listen(sound: Sound) -> list[Verdict]:
        return heard(detector.stream(), sound, list(range(0, len(sound), 333)), RATE_HZ)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(listen, sounds)) == alone


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
