import numpy as np
import pytest

from earlet_train.augmentations.telephone import Telephone, TelephoneSettings

RATE_HZ = 16_000


def level_db(hz: float) -> float:
    """How much of a tone comes through, at edges of exactly 300 and 3400 Hz."""
    wave = (0.3 * np.sin(2 * np.pi * hz * np.arange(32_000) / RATE_HZ)).astype(np.float32)
    telephone = Telephone(TelephoneSettings(probability=1.0, spread=0.0), sample_rate_hz=RATE_HZ)
    heard = telephone.waveform(wave, np.random.default_rng(0))
    middle = slice(8_000, 24_000)
    return float(20 * np.log10(heard[middle].std() / wave[middle].std()))


def test_the_band_comes_through_and_the_rest_does_not() -> None:
    assert level_db(500) == pytest.approx(0, abs=0.5)
    assert level_db(1000) == pytest.approx(0, abs=0.1)
    assert level_db(2500) == pytest.approx(0, abs=0.5)
    assert level_db(300) == pytest.approx(-6, abs=0.3)  # each edge is passed twice
    assert level_db(3400) == pytest.approx(-6, abs=0.3)
    assert level_db(150) < -40
    assert level_db(6000) < -40


def test_nothing_is_delayed() -> None:
    click = np.zeros(16_000, np.float32)
    click[8_000] = 0.5
    telephone = Telephone(TelephoneSettings(probability=1.0), sample_rate_hz=RATE_HZ)
    assert np.argmax(telephone.waveform(click, np.random.default_rng(0))) == 8_000


def test_edges_are_drawn_within_their_spread() -> None:
    wave = np.random.default_rng(5).standard_normal(16_000).astype(np.float32) * np.float32(0.1)
    telephone = Telephone(TelephoneSettings(probability=1.0), sample_rate_hz=RATE_HZ)
    heard = {telephone.waveform(wave, np.random.default_rng(s)).tobytes() for s in range(5)}
    assert len(heard) == 5


def test_a_band_above_half_the_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="8000 Hz of the recordings"):
        Telephone(TelephoneSettings(high_hz=5000.0), sample_rate_hz=8_000)


def test_edges_that_leave_no_band_are_refused() -> None:
    with pytest.raises(ValueError, match="Move them apart"):
        TelephoneSettings(low_hz=3000.0, high_hz=3400.0)
