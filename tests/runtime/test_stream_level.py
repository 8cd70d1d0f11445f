"""Levels of windows as they arrive are the levels of the same windows afterwards."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earlet.stream_level import WindowLevels
from earlet.waveform import level_dbfs

SOUND = (np.random.default_rng(0).normal(0, 0.2, 500) * np.linspace(0, 1, 500)).astype(np.float32)


def levels(window: int, hop: int, cuts: list[int]) -> list[float]:
    found = WindowLevels(window_samples=window, hop_samples=hop)
    for piece in np.split(SOUND, cuts):
        found.put(piece)
    return list(found.ready)


@given(st.integers(1, 300), st.integers(1, 400), st.lists(st.integers(0, 500), max_size=9))
@settings(max_examples=200, deadline=None)
def test_each_window_has_its_level_whatever_the_pieces(
    window: int, hop: int, cuts: list[int]
) -> None:
    found = levels(window, hop, sorted(cuts))
    wanted = [level_dbfs(SOUND[b : b + window]) for b in range(0, 501 - window, hop)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert found == levels(window, hop, [])


@pytest.mark.parametrize(("window", "hop"), [(100, 30), (100, 100), (100, 50), (30, 100)])
def test_a_level_is_there_with_the_last_sample_of_its_window(window: int, hop: int) -> None:
    found = WindowLevels(window_samples=window, hop_samples=hop)
    for i in range(500):
        found.put(SOUND[i : i + 1])
        assert len(found.ready) == len(range(0, i + 2 - window, hop))


def test_a_hop_of_many_seconds_has_its_level_too() -> None:
    sound = np.random.default_rng(1).normal(0, 0.1, 60_000).astype(np.float32)
    found = {}
    for cuts in ((), (1, 20_000, 20_001), (40_000,)):
        levels = WindowLevels(window_samples=50_000, hop_samples=20_500)
        for piece in np.split(sound, cuts):
            levels.put(piece)
        found[cuts] = list(levels.ready)
    assert found[()] == pytest.approx([level_dbfs(sound[:50_000])], abs=1e-5)
    assert all(one == found[()] for one in found.values())


def test_digital_silence_has_no_level_and_leaves_nothing_behind() -> None:
    found = WindowLevels(window_samples=100, hop_samples=30)
    found.put(np.ones(190, np.float32))
    found.put(np.zeros(190, np.float32))
    assert list(found.ready)[:4] == [0, 0, 0, 0]
    assert list(found.ready)[-2:] == [-math.inf, -math.inf]


def test_a_reset_forgets_the_sound() -> None:
    found = WindowLevels(window_samples=100, hop_samples=30)
    found.put(np.ones(177, np.float32))
    found.reset()
    found.put(SOUND)
    assert list(found.ready) == levels(100, 30, [])


def test_what_is_kept_does_not_grow() -> None:
    found = WindowLevels(window_samples=8000, hop_samples=3000)
    assert found.state_bytes == 4 * 3000 + 8 * 2
    assert WindowLevels(window_samples=30, hop_samples=1000).state_bytes == 4 * 30
