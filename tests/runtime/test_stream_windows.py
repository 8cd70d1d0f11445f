"""A sound cut as it arrives has the windows that it has when it is cut whole."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from earlet.manifest import WindowPolicy
from earlet.stream_windows import WindowCutter
from earlet.windows import starts

SOUND = np.arange(400, dtype=np.float32)


@given(
    st.integers(0, 400),
    st.integers(1, 150),
    st.integers(1, 200),
    st.lists(st.integers(0, 400), max_size=9),
)
@settings(max_examples=300, deadline=None)
def test_windows_and_the_last_one_are_those_of_the_whole(
    length: int, window: int, hop: int, cuts: list[int]
) -> None:
    cutter = WindowCutter(window_samples=window, hop_samples=hop)
    found = []
    for piece in np.split(SOUND[:length], sorted(min(cut, length) for cut in cuts)):
        while len(piece):
            piece = piece[cutter.put(piece) :]
            if cutter.ready:
                taken = cutter.take()
                found.append(cutter.begin)
                np.testing.assert_array_equal(taken, SOUND[cutter.begin :][:window])
    assert cutter.samples == length
    if length < window:
        assert found == []
        np.testing.assert_array_equal(cutter.sound, SOUND[:length])
        return
    last = cutter.last()
    if last is not None:
        found.append(last[0])
        np.testing.assert_array_equal(last[1], SOUND[length - window : length])
    policy = WindowPolicy(window_samples=window, hop_samples=hop, min_samples=1)
    assert found == starts(length, policy)


def test_nothing_fits_in_before_a_ready_window_is_taken() -> None:
    cutter = WindowCutter(window_samples=100, hop_samples=30)
    assert cutter.put(SOUND) == 100
    assert cutter.put(SOUND) == 0
    cutter.take()
    assert cutter.put(SOUND) == 30


def test_a_reset_forgets_the_sound() -> None:
    cutter = WindowCutter(window_samples=100, hop_samples=30)
    cutter.put(SOUND[200:])
    cutter.take()
    cutter.put(SOUND[300:])
    cutter.reset()
    assert cutter.samples == 0
    cutter.put(SOUND)
    np.testing.assert_array_equal(cutter.take(), SOUND[:100])
    assert cutter.begin == 0
