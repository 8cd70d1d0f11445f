"""A recording judged block by block gets, bit for bit, what it gets as a whole."""

import dataclasses
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from streams.small import POLICY, RATE_HZ, Shape, speech, write

import earlet
from earlet.detector import Detector
from earlet.errors import AudioError
from earlet.stream_recording import judge


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Detector]:
    """By pooling; one with hops longer than its window; one whose bundle streams exactly."""
    folder = tmp_path_factory.mktemp("recordings")
    policies = {
        **{kind: dataclasses.replace(POLICY, pooling=kind) for kind in ("mean", "max", "first")},
        "sparse": dataclasses.replace(POLICY, hop_samples=5001),
    }
    found = {name: earlet.load(write(folder / name, window=p)) for name, p in policies.items()}
    return {**found, "exact": earlet.load(write(folder / "exact", Shape(late=9)))}


def in_blocks(sound: NDArray[np.float32], cuts: list[int]) -> list[NDArray[np.float32]]:
    return [block[:, None] if block.ndim == 1 else block for block in np.split(sound, cuts)]


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_blocks_are_the_whole_bit_for_bit(
    detectors: dict[str, Detector], data: st.DataObject
) -> None:
    detector = detectors[data.draw(st.sampled_from(list(detectors)))]
    rate_hz = data.draw(st.sampled_from([RATE_HZ, 16_000, 11_025]))
    sound = speech(data.draw(st.floats(0.1, 3)), rate_hz=rate_hz, seed=1)
    sound = sound[: data.draw(st.integers(rate_hz // 10, max(len(sound), rate_hz // 10 + 1)))]
    sound[data.draw(st.integers(0, len(sound))) :][:rate_hz] = 0
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sound)), max_size=8)))
    blocks = in_blocks(sound, cuts)
    assert judge(detector, blocks, rate_hz) == [detector(sound, rate_hz)]
    assert judge(detector, blocks, rate_hz, each_window=True) == detector.windows(sound, rate_hz)


@pytest.mark.parametrize("channel", [0, 1, "mean"])
def test_a_channel_of_the_blocks_is_that_of_the_whole(
    detectors: dict[str, Detector], channel: Any
) -> None:
    both = np.stack([speech(2), speech(2, seed=1)], axis=1)
    found = judge(detectors["mean"], in_blocks(both, [999]), RATE_HZ, channel=channel)
    assert found == [detectors["mean"](both, RATE_HZ, channel=channel)]


def bad_sounds() -> dict[str, NDArray[np.float32]]:
    sound = speech(3)
    bad = {
        "nan": np.where(np.arange(24_000) % 9000 == 8999, np.nan, sound),
        "loud, then nan": np.where(np.arange(24_000) == 20_000, np.nan, sound * 4096),
        "loud": sound * 4096,
        "integers": np.rint(sound * 32768),
        "quiet integers": np.rint(sound * 3).clip(-1, 1),
        "short": sound[:700],
        "empty": sound[:0],
        "stereo": np.stack([sound, sound], axis=1),
    }
    return {name: np.asarray(samples, dtype=np.float32) for name, samples in bad.items()}


@pytest.mark.parametrize("kind", list(bad_sounds()))
@pytest.mark.parametrize("cuts", [[], [100, 101, 9000, 17_000]])
def test_what_is_said_of_bad_sound_is_said_of_the_whole(
    detectors: dict[str, Detector], kind: str, cuts: list[int]
) -> None:
    sound = bad_sounds()[kind]
    with pytest.raises(AudioError) as whole:
        detectors["mean"](sound, RATE_HZ)
    blocks = in_blocks(sound, [cut for cut in cuts if cut <= len(sound)])
    with pytest.raises(AudioError) as refusal:
        judge(detectors["mean"], blocks, RATE_HZ)
    assert str(refusal.value) == str(whole.value)
    if kind == "nan":
        assert "2 of 24000 samples are not finite" in str(refusal.value)
        assert "the first is sample 8999" in str(refusal.value)


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 44_100])
def test_the_memory_of_a_long_recording_is_that_of_a_short_one(
    detectors: dict[str, Detector], rate_hz: int
) -> None:
    block = speech(2, rate_hz=rate_hz)[:, None]

    def most_bytes(seconds: int) -> int:
        def blocks() -> Iterator[NDArray[np.float32]]:
            for _ in range(seconds // 2):
                yield block.copy()

        tracemalloc.start()
        judge(detectors["mean"], blocks(), rate_hz)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    most_bytes(2)
    short, long = most_bytes(10), most_bytes(200)
    # Beyond its sound, a score and where it stands: a few hundred bytes a window.
    assert long - short < 0.05 * 190 * rate_hz * 4
    assert long < 3_000_000


def test_a_missing_short_rule_is_the_detectors(write_any_bundle: Callable[..., Path]) -> None:
    policy = dataclasses.replace(POLICY, short="reject")
    detector = earlet.load(write_any_bundle(policy=policy))
    with pytest.raises(AudioError, match=r"needs at least 0\.25 s"):
        judge(detector, [speech(0.2)[:, None]], 16_000)
