"""Many sounds over one session: each gets, bit for bit, what it would get all alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from streams.small import CHUNK, RATE_HZ, Shape, speech, write

import earlet
from earlet.detector import Detector
from earlet.errors import AudioError, BundleError, UsageError
from earlet.stream_group import TOGETHER, Streams
from earlet.verdict import Verdict

# Groups of eight, one of them not full; and graphs whose sounds must go one by one.
SOURCES = TOGETHER + 3
SHAPES = {
    "together": Shape(late=60),
    "bytes": Shape(in_bytes=True),
    "one by one": Shape(batch=1),
    "telling": Shape(company_tells=True),
}


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Detector]:
    folder = tmp_path_factory.mktemp("groups")
    found = {name: earlet.load(write(folder / name, shape)) for name, shape in SHAPES.items()}
    return {**found, "windows": earlet.load(write(folder / "windows"))}


@pytest.fixture(scope="module")
def sounds() -> NDArray[np.float32]:
    found = np.stack([speech(1.5, seed=i) for i in range(SOURCES)])
    found[3, 2000:9000] = 0
    return found


def one_at_a_time(detector: Detector, sounds: NDArray[np.float32]) -> list[list[Verdict]]:
    return [detector.stream().accept(sound, RATE_HZ) for sound in sounds]


def by_source(found: list[tuple[int, Verdict]]) -> list[list[Verdict]]:
    return [[verdict for source, verdict in found if source == i] for i in range(SOURCES)]


@pytest.mark.parametrize("kind", [*SHAPES, "windows"])
def test_side_by_side_they_get_the_bits_that_each_gets_alone(
    detectors: dict[str, Detector], sounds: Any, kind: str
) -> None:
    detector = detectors[kind]
    streams = detector.streams(SOURCES)
    together = [engine.buffers._together for engine in streams._engines]
    assert all(together) == (kind in ("together", "bytes", "windows"))
    found = [
        one
        for at in range(0, 12_000, 400)
        for one in streams.accept(dict(enumerate(sounds[:, at : at + 400])), RATE_HZ)
    ]
    alone = one_at_a_time(detector, sounds)
    assert by_source(found) == alone
    assert len(alone[0]) > 3
    assert [stream.finish() for stream in streams] == [
        closing(detector, sound, len(given)) for sound, given in zip(sounds, alone, strict=True)
    ]


def closing(detector: Detector, sound: Any, given: int) -> list[Verdict]:
    stream = detector.stream()
    return (stream.accept(sound, RATE_HZ) + stream.finish())[given:]


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_sounds_that_come_and_go_as_they_like_do_not_leak_into_each_other(
    detectors: dict[str, Detector], sounds: Any, data: st.DataObject
) -> None:
    detector = detectors[data.draw(st.sampled_from(["together", "windows", "one by one"]))]
    streams = detector.streams(SOURCES)
    at = [0] * SOURCES
    found: list[list[Verdict]] = [[] for _ in range(SOURCES)]
    for _ in range(data.draw(st.integers(5, 25))):
        if data.draw(st.booleans()):
            arriving, count = list(range(SOURCES)), CHUNK
        else:
            arriving = data.draw(st.lists(st.integers(0, SOURCES - 1), unique=True))
            count = data.draw(st.integers(0, 2000))
        pieces = {i: sounds[i, at[i] : at[i] + count] for i in arriving}
        for source, verdict in streams.accept(pieces, RATE_HZ):
            found[source].append(verdict)
        for i in arriving:
            at[i] += len(pieces[i])
        if data.draw(st.integers(0, 4)) == 0:
            begun = data.draw(st.integers(0, SOURCES - 1))
            streams[begun].reset()
            at[begun], found[begun] = 0, []
    for i in range(SOURCES):
        assert found[i] == detector.stream().accept(sounds[i, : at[i]], RATE_HZ)


def test_a_source_may_be_driven_alone_among_the_others(
    detectors: dict[str, Detector], sounds: Any
) -> None:
    detector = detectors["together"]
    streams = detector.streams(SOURCES)
    lonely = streams[4].accept(sounds[4, :6000], RATE_HZ)
    rest = [i for i in range(SOURCES) if i != 4]
    found = streams.accept({i: sounds[i] for i in rest}, RATE_HZ)
    lonely += streams[4].accept(sounds[4, 6000:], RATE_HZ)
    alone = one_at_a_time(detector, sounds)
    assert lonely == alone[4]
    assert [by_source(found)[i] for i in rest] == [alone[i] for i in rest]


def test_sources_may_come_at_rates_of_their_own(detectors: dict[str, Detector]) -> None:
    detector = detectors["together"]
    streams = detector.streams(2)
    slow, fast = speech(1.2), speech(1.2, rate_hz=44_100)
    found = [
        *streams.accept({0: slow}, RATE_HZ),
        *streams.accept({1: fast}, 44_100),
    ]
    assert [v for s, v in found if s == 0] == detector.stream().accept(slow, RATE_HZ)
    assert [v for s, v in found if s == 1] == detector.stream().accept(fast, 44_100)


def test_verdicts_come_by_source_and_in_order_of_time(
    detectors: dict[str, Detector], sounds: Any
) -> None:
    found = detectors["together"].streams(3).accept({2: sounds[2], 0: sounds[0]}, RATE_HZ)
    assert found == sorted(found, key=lambda one: (one[0], one[1].start_s))
    assert {source for source, _ in found} == {0, 2}


def test_many_are_many_streams(detectors: dict[str, Detector]) -> None:
    streams = detectors["together"].streams(SOURCES)
    assert isinstance(streams, Streams)
    assert len(streams) == SOURCES
    assert streams[-1] is list(streams)[SOURCES - 1]
    assert streams.state_bytes == SOURCES * streams[0].state_bytes
    assert streams[0].state_bytes == detectors["together"].stream().state_bytes


def test_one_bad_piece_takes_nothing_from_anybody(
    detectors: dict[str, Detector], sounds: Any
) -> None:
    detector = detectors["together"]
    streams = detector.streams(SOURCES)
    bad = sounds.copy()
    bad[5, 7] = np.nan
    with pytest.raises(AudioError, match=r"^source 5: 1 of 12000 samples are not finite"):
        streams.accept(dict(enumerate(bad)), RATE_HZ)
    assert all(stream.heard_s == 0 for stream in streams)
    del (rest := dict(enumerate(bad)))[5]
    found = by_source(streams.accept(rest, RATE_HZ))
    alone = one_at_a_time(detector, sounds)
    assert [found[i] for i in rest] == [alone[i] for i in rest]


def test_a_source_that_is_over_or_was_never_there_is_named(
    detectors: dict[str, Detector], sounds: Any
) -> None:
    streams = detectors["together"].streams(2)
    with pytest.raises(UsageError, match="there is no source 2: there are 2, counted from 0"):
        streams.accept({2: sounds[0]}, RATE_HZ)
    streams[1].accept(sounds[1], RATE_HZ)
    streams[1].finish()
    with pytest.raises(UsageError, match=r"^source 1: this stream was finished"):
        streams.accept({0: sounds[0], 1: sounds[1]}, RATE_HZ)
    assert streams[0].heard_s == 0


def test_where_the_model_fails_the_whole_group_is_over(
    detectors: dict[str, Detector], sounds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = detectors["together"].streams(SOURCES)

    def broken(rows: Any) -> None:
        raise BundleError("the graph broke")

    monkeypatch.setattr(streams._engines[0].buffers, "run", broken)
    with pytest.raises(BundleError, match="the graph broke"):
        streams.accept(dict(enumerate(sounds)), RATE_HZ)
    with pytest.raises(UsageError, match="source 0: the model failed"):
        streams.accept({0: sounds[0]}, RATE_HZ)
    monkeypatch.undo()
    for stream in streams:
        stream.reset()
    found = streams.accept(dict(enumerate(sounds)), RATE_HZ)
    assert by_source(found) == one_at_a_time(detectors["together"], sounds)


def test_the_folder_of_a_stream_that_is_windows_only_will_do(tmp_path: Path) -> None:
    streams = earlet.load(write(tmp_path / "b")).streams(2)
    assert [stream.kind for stream in streams] == ["window", "window"]
    with pytest.raises(UsageError, match="no streaming graph"):
        earlet.load(tmp_path / "b").streams(2, kind="exact")
