from typing import Literal

import numpy as np
import pytest

from earlet_train.augmentations.augmentation import Floats
from earlet_train.augmentations.speed import Speed, SpeedSettings, tape

RATE_HZ = 16_000
Method = Literal["tape", "stretch"]


def played(waveform: Floats, method: Method, factor: float) -> Floats:
    settings = SpeedSettings(probability=1.0, method=method, low=factor, high=factor)
    return Speed(settings, sample_rate_hz=RATE_HZ).waveform(waveform, np.random.default_rng(0))


def tone(hz: float) -> Floats:
    wave: Floats = (0.3 * np.sin(2 * np.pi * hz * np.arange(32_000) / RATE_HZ)).astype(np.float32)
    return wave


def loudest_hz(waveform: Floats) -> float:
    """Of the first half, which is in one piece when the other half is filled from the start."""
    half = waveform[:16_000]
    return float(np.argmax(np.abs(np.fft.rfft(half * np.hanning(len(half))))))


def bursts(waveform: Floats) -> float:
    """How often per second the envelope goes up and down."""
    envelope = np.abs(waveform[:16_000])
    smooth = np.convolve(envelope, np.ones(400) / 400, "same")
    return float(np.argmax(np.abs(np.fft.rfft(smooth - smooth.mean()))))


@pytest.mark.parametrize("factor", [0.8, 1.1, 1.5])
def test_a_tape_moves_pitch_and_tempo(factor: float) -> None:
    pulsed = tone(1000) * (0.5 - 0.5 * np.cos(2 * np.pi * 10 * np.arange(32_000) / RATE_HZ))
    heard = played(pulsed.astype(np.float32), "tape", factor)
    assert loudest_hz(heard) == pytest.approx(1000 * factor, rel=0.005)
    assert bursts(heard) == pytest.approx(10 * factor, abs=1.0)


@pytest.mark.parametrize("factor", [0.8, 1.5])
def test_a_stretch_moves_the_tempo_alone(factor: float) -> None:
    pulsed = tone(1000) * (0.5 - 0.5 * np.cos(2 * np.pi * 10 * np.arange(32_000) / RATE_HZ))
    heard = played(pulsed.astype(np.float32), "stretch", factor)
    # The pulses of a stretched tone ring at sidebands; the tone itself stays.
    assert loudest_hz(heard) == pytest.approx(1000, abs=12)
    assert bursts(heard) == pytest.approx(10 * factor, abs=1.0)


def test_a_tape_is_as_long_as_its_speed_says() -> None:
    assert len(tape(tone(300), 2.0)) == 16_000
    assert len(tape(tone(300), 0.5)) == 64_000


def test_what_is_too_short_starts_again() -> None:
    heard = played(tone(300), "tape", 2.0)
    np.testing.assert_array_equal(heard[:16_000], heard[16_000:])


def test_slowed_down_windows_are_cropped_at_different_places() -> None:
    chirp = np.sin(np.cumsum(np.linspace(0.05, 1.0, 32_000))).astype(np.float32) * np.float32(0.5)
    speed = Speed(SpeedSettings(probability=1.0, low=0.6, high=0.6), sample_rate_hz=RATE_HZ)
    first = {speed.waveform(chirp, np.random.default_rng(s))[:8].tobytes() for s in range(6)}
    assert len(first) == 6


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"within 0\.5 to 2"):
        SpeedSettings(low=0.4)
    with pytest.raises(ValueError, match="in order"):
        SpeedSettings(low=1.2, high=1.1)
