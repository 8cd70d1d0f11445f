import numpy as np
import pytest

from earlet_train.augmentations.gain import Gain, GainSettings

TONE = (0.3 * np.sin(np.arange(8000) * 0.3)).astype(np.float32)


def test_gain_is_what_was_asked_for_until_it_would_clip() -> None:
    louder = Gain(GainSettings(low_db=6.0, high_db=6.0), sample_rate_hz=16_000)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(louder.waveform(TONE, rng), TONE * 10 ** (6 / 20), rtol=1e-5)
    assert float(np.abs(louder.waveform(TONE * 3, rng)).max()) == pytest.approx(1.0, abs=1e-6)


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="low_db"):
        GainSettings(low_db=5.0, high_db=-5.0)
