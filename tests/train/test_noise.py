import numpy as np
import pytest

from earlet_train.augmentations.noise import Noise, NoiseSettings

TONE = (0.3 * np.sin(np.arange(8000) * 0.3)).astype(np.float32)


def test_noise_comes_at_the_ratio_that_was_asked_for() -> None:
    settings = NoiseSettings(probability=1.0, low_db=20.0, high_db=20.0)
    added = Noise(settings, sample_rate_hz=16_000).waveform(TONE, np.random.default_rng(0)) - TONE
    assert 20 * np.log10(TONE.std() / added.std()) == pytest.approx(20.0, abs=0.2)


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="low_db"):
        NoiseSettings(low_db=40.0, high_db=10.0)
