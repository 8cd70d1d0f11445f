import numpy as np
import pytest

from earlet_train.augmentations.pitch import Pitch, PitchSettings

RATE_HZ = 16_000


def loudest_hz(waveform: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(waveform))) * RATE_HZ / len(waveform))


@pytest.mark.parametrize("semitones", [-4.0, -1.0, 2.0, 4.0])
def test_a_tone_moves_by_the_semitones_asked_for(semitones: float) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 500 * np.arange(32_000) / RATE_HZ)).astype(np.float32)
    settings = PitchSettings(probability=1.0, low_semitones=semitones, high_semitones=semitones)
    shifted = Pitch(settings, sample_rate_hz=RATE_HZ).waveform(tone, np.random.default_rng(0))
    assert loudest_hz(shifted) == pytest.approx(500 * 2 ** (semitones / 12), rel=0.003)


def test_what_happens_keeps_its_place_in_time() -> None:
    clicks = np.zeros(48_000, np.float32)
    clicks[20_000:20_200] = np.hanning(200) * np.sin(np.arange(200) * 0.4) * 0.5
    settings = PitchSettings(probability=1.0, low_semitones=3.0, high_semitones=3.0)
    shifted = Pitch(settings, sample_rate_hz=RATE_HZ).waveform(clicks, np.random.default_rng(0))
    power = shifted.astype(np.float64) ** 2
    middle = float((power * np.arange(len(power))).sum() / power.sum())
    assert middle == pytest.approx(20_100, abs=80)  # 5 ms


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match="within -24 to 24"):
        PitchSettings(low_semitones=-30.0)
    with pytest.raises(ValueError, match="in order"):
        PitchSettings(low_semitones=2.0, high_semitones=1.0)
