"""However a sound is cut, resampled piece by piece it is the resampled whole, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from earlet.errors import AudioError
from earlet.resample import filter_rows, resample
from earlet.stream_resample import StreamResampler

# Few and many fractions, up and down, one way of computing and the other, and no change at all.
PAIRS = [
    (48_000, 16_000),
    (44_100, 16_000),
    (8_000, 16_000),
    (22_050, 16_000),
    (16_001, 16_000),
    (96_000, 8_000),
    (16_000, 44_100),
    (768_000, 8_000),
    (1_000, 16_000),
    (16_000, 16_000),
]


def noise(samples: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, samples).astype(np.float32)


def in_pieces(
    resampler: StreamResampler, sound: NDArray[np.float32], cuts: list[int]
) -> NDArray[np.float32]:
    pieces = [resampler.accept(piece) for piece in np.split(sound, cuts)]
    return np.concatenate([*pieces, resampler.finish()])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_pieces_are_the_whole_bit_for_bit(data: st.DataObject) -> None:
    from_hz, to_hz = data.draw(st.sampled_from(PAIRS))
    length = data.draw(st.integers(0, from_hz // 4))
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=12)))
    sound = noise(length, seed=length)
    found = in_pieces(StreamResampler(from_hz, to_hz), sound, cuts)
    np.testing.assert_array_equal(found, resample(sound, from_hz, to_hz), strict=True)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_sample_by_sample_is_the_whole_bit_for_bit(from_hz: int, to_hz: int) -> None:
    sound = noise(1200)
    found = in_pieces(StreamResampler(from_hz, to_hz), sound, list(range(1, 1200)))
    np.testing.assert_array_equal(found, resample(sound, from_hz, to_hz), strict=True)


@pytest.mark.parametrize("from_hz", [44_100, 22_050, 48_000])
def test_ten_seconds_at_once_are_ten_seconds_by_the_packet(from_hz: int) -> None:
    sound = noise(10 * from_hz)
    packets = list(range(from_hz // 50, len(sound), from_hz // 50))
    found = in_pieces(StreamResampler(from_hz, 16_000), sound, packets)
    np.testing.assert_array_equal(found, resample(sound, from_hz, 16_000), strict=True)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_an_output_waits_for_half_a_filter_and_no_longer(from_hz: int, to_hz: int) -> None:
    resampler = StreamResampler(from_hz, to_hz)
    given = len(resampler.accept(noise(2 * from_hz)))
    owed = len(resampler.finish())
    assert given + owed == 2 * to_hz
    assert owed / to_hz <= 59 / min(from_hz, to_hz) + 1 / to_hz


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_what_it_keeps_does_not_grow(from_hz: int, to_hz: int) -> None:
    resampler = StreamResampler(from_hz, to_hz)
    for i in range(40):
        resampler.accept(noise(from_hz // 40 + i))
        assert resampler._held.nbytes <= max(resampler.state_bytes, 4 * filter_rows(1, 1).shape[1])
        assert resampler._held.base is None


def test_a_reset_forgets_the_sound() -> None:
    resampler = StreamResampler(44_100, 16_000)
    resampler.accept(noise(5000, seed=1))
    resampler.reset()
    found = in_pieces(resampler, noise(3000), [700])
    np.testing.assert_array_equal(found, resample(noise(3000), 44_100, 16_000))


def test_a_day_later_the_bits_are_the_same() -> None:
    """The numbers of samples grow; the place within the filter must not lose a bit for it."""
    sound, early = noise(20_000), StreamResampler(44_100, 16_000)
    first = early.accept(sound)
    late = StreamResampler(44_100, 16_000)
    days = 10_000 * 86_400 // 441 * 441
    late._origin = late._taken = days * 44_100
    late._given = days * 16_000
    np.testing.assert_array_equal(late.accept(sound), first)


@pytest.mark.parametrize("rates", [(16, 16_000), (16_000, 10_000_000), (16_000.0, 8_000)])
def test_a_rate_that_no_recording_has_is_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(AudioError, match="the sample rate should"):
        StreamResampler(*rates)
