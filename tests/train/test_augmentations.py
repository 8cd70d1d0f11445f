import numpy as np
import pytest
import torch

from earlet_train.augmentations import AUGMENTATIONS
from earlet_train.augmentations.augmentation import Augmentation, Floats
from earlet_train.augmentations.band_mask import BandMask, BandMaskSettings
from earlet_train.augmentations.gain import Gain, GainSettings
from earlet_train.augmentations.noise import Noise, NoiseSettings

RATE_HZ = 16_000


@pytest.fixture(params=sorted(AUGMENTATIONS))
def augmentation(request: pytest.FixtureRequest) -> Augmentation:
    kind = AUGMENTATIONS[request.param]
    return kind(kind.Settings(), sample_rate_hz=RATE_HZ)


def tone(amplitude: float = 0.3) -> Floats:
    wave: Floats = (amplitude * np.sin(np.arange(8000) * 0.3)).astype(np.float32)
    return wave


def test_shape_kind_and_range_stay_and_the_input_is_not_written_to(
    augmentation: Augmentation,
) -> None:
    waveform, features = tone(0.9), torch.randn(4, 1, 32, 40)
    before = waveform.copy(), features.clone()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        changed = augmentation.waveform(waveform, rng)
        assert changed.shape == waveform.shape
        assert changed.dtype == np.float32
        assert float(np.abs(changed).max()) <= 1.0 + 1e-6
        assert augmentation.features(features, rng).shape == features.shape
    np.testing.assert_array_equal(waveform, before[0])
    assert torch.equal(features, before[1])


def test_the_same_generator_draws_the_same(augmentation: Augmentation) -> None:
    features = torch.randn(4, 1, 32, 40)
    for seed in range(5):
        one, two = np.random.default_rng(seed), np.random.default_rng(seed)
        np.testing.assert_array_equal(
            augmentation.waveform(tone(), one), augmentation.waveform(tone(), two)
        )
        assert torch.equal(
            augmentation.features(features, one), augmentation.features(features, two)
        )


def test_something_changes_sooner_or_later(augmentation: Augmentation) -> None:
    features, rng = torch.randn(4, 1, 32, 40), np.random.default_rng(0)
    assert any(
        not np.array_equal(augmentation.waveform(tone(), rng), tone())
        or not torch.equal(augmentation.features(features, rng), features)
        for _ in range(20)
    )


def test_silence_stays_silence(augmentation: Augmentation) -> None:
    silence = np.zeros(8000, dtype=np.float32)
    for seed in range(10):
        changed = augmentation.waveform(silence, np.random.default_rng(seed))
        np.testing.assert_array_equal(changed, silence)


def test_gain_is_what_was_asked_for_until_it_would_clip() -> None:
    louder = Gain(GainSettings(low_db=6.0, high_db=6.0), sample_rate_hz=RATE_HZ)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(louder.waveform(tone(), rng), tone() * 10 ** (6 / 20), rtol=1e-5)
    assert float(np.abs(louder.waveform(tone(0.9), rng)).max()) == pytest.approx(1.0, abs=1e-6)


def test_noise_comes_at_the_ratio_that_was_asked_for() -> None:
    noise = Noise(NoiseSettings(probability=1.0, low_db=20.0, high_db=20.0), sample_rate_hz=RATE_HZ)
    added = noise.waveform(tone(), np.random.default_rng(0)) - tone()
    ratio_db = 20 * np.log10(tone().std() / added.std())
    assert ratio_db == pytest.approx(20.0, abs=0.2)


def test_a_mask_blanks_no_more_than_its_stripes() -> None:
    settings = BandMaskSettings(probability=1.0, bins=4, frames=5)
    mask = BandMask(settings, sample_rate_hz=RATE_HZ)
    features = torch.randn(50, 1, 32, 40)
    changed = (mask.features(features, np.random.default_rng(0)) != features)[:, 0]
    assert int(changed.all(dim=2).sum(dim=1).max()) == 4
    assert int(changed.all(dim=1).sum(dim=1).max()) == 5
