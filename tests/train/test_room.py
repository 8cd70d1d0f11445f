import numpy as np
import pytest
from numpy.typing import NDArray

from earlet_train.augmentations.room import Room, RoomSettings, room_response

RATE_HZ = 16_000


def echo_s(response: NDArray[np.float64]) -> float:
    """-> the time to fall by 60 dB, from Schroeder's backward integral between -5 and -25 dB."""
    left = np.cumsum(response[::-1] ** 2)[::-1]
    level_db = 10 * np.log10(left / left[0])
    return float(3 * (np.argmax(level_db < -25) - np.argmax(level_db < -5)) / RATE_HZ)


def responses(wanted_s: float) -> list[tuple[NDArray[np.float64], int]]:
    return [
        room_response(wanted_s, sample_rate_hz=RATE_HZ, rng=np.random.default_rng(seed))
        for seed in range(12)
    ]


@pytest.mark.parametrize("wanted_s", [0.15, 0.3])
def test_the_echo_takes_about_as_long_as_asked_for(wanted_s: float) -> None:
    found_s = np.array([echo_s(response) for response, _ in responses(wanted_s)])
    assert float(np.median(found_s)) == pytest.approx(wanted_s, rel=0.4)


def test_livelier_rooms_ring_longer() -> None:
    short, long = ([echo_s(r) for r, _ in responses(s)] for s in (0.1, 0.4))
    assert np.all(np.array(long) > np.array(short))


def test_no_sound_arrives_before_the_direct_sound() -> None:
    for response, delay in responses(0.2):
        direct = np.abs(response[delay - 2 : delay + 3]).max()
        # The image method adds up to an offset; the filter against it rings below 20 Hz both ways.
        assert np.abs(response[: delay - 45]).max(initial=0.0) < 0.05 * direct
        assert np.abs(np.diff(response[: delay - 45])).max(initial=0.0) < 1e-3 * direct


def test_the_direct_sound_stays_where_it_was() -> None:
    click = np.zeros(16_000, np.float32)
    click[4_000] = 0.5
    room = Room(RoomSettings(probability=1.0, low_s=0.05, high_s=0.05), sample_rate_hz=RATE_HZ)
    for seed in range(8):
        heard = np.abs(room.waveform(click, np.random.default_rng(seed)))
        first = int(np.argmax(heard > 0.3 * heard.max()))
        assert first == pytest.approx(4_000, abs=2)
        assert heard[4_040:].max() > 0.001


def test_loudness_stays_about_the_same() -> None:
    noise = np.random.default_rng(1).standard_normal(32_000).astype(np.float32) * np.float32(0.05)
    room = Room(RoomSettings(probability=1.0), sample_rate_hz=RATE_HZ)
    for seed in range(8):
        heard = room.waveform(noise, np.random.default_rng(seed))
        assert 20 * np.log10(heard.std() / noise.std()) == pytest.approx(0, abs=3)


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        RoomSettings(low_s=0.4, high_s=0.2)
    with pytest.raises(ValueError, match=r"at most 0\.5"):
        RoomSettings(high_s=2.0)
