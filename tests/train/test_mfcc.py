"""MFCC against librosa and scipy, with the settings that Spec-ResNet's sibling was trained with."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles.mfcc import oracle

from earlet_train.frontends.mfcc import Mfcc, MfccSettings

RATE_HZ = 16_000
SETTINGS = MfccSettings()


def sound(samples: int = 64_000) -> NDArray[np.float32]:
    """Noise whose upper half and whose end are 60 dB down, so that the range limit bites."""
    rng = np.random.default_rng(2)
    smooth = np.convolve(rng.standard_normal(samples), np.hanning(33) / 8, mode="same")
    decay = np.logspace(0, -3, samples)
    return ((smooth * decay + 1e-5 * rng.standard_normal(samples)) * 0.2).astype(np.float32)


def features(waveform: NDArray[np.float32], settings: MfccSettings) -> NDArray[np.float32]:
    values = Mfcc(settings, sample_rate_hz=RATE_HZ)(torch.from_numpy(waveform)[None])[0, 0]
    array: NDArray[np.float32] = values.numpy()
    return array


def test_four_seconds_are_librosas_features_of_the_published_code() -> None:
    """librosa's three calls in a row, with the mirrored edges that were its default in 2019."""
    waveform = librosa.util.normalize(sound().astype(np.float64))
    static = librosa.feature.mfcc(y=waveform, sr=RATE_HZ, n_mfcc=24, pad_mode="reflect")
    slopes = librosa.feature.delta(static)
    published = np.concatenate([static, slopes, librosa.feature.delta(slopes)])
    assert published.shape == (72, 126)
    np.testing.assert_allclose(features(sound(), SETTINGS), published, atol=2e-3)


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, scale="htk", norm="none", mels=40, coefficients=13, slope_width=5),
        replace(
            SETTINGS, centre="causal", peak_normalise=False, range_db=0.0, slopes=0, high_hz=4000.0
        ),
    ],
)
def test_any_settings_follow_the_definition(settings: MfccSettings) -> None:
    for waveform in (sound(16_000), np.zeros(16_000, np.float32), np.sign(sound(16_000))):
        expected = oracle(waveform.astype(np.float64), settings, RATE_HZ)[0]
        # Silence is -100 dB on 128 mels: a first coefficient of -1131, where float32 steps by 1e-4.
        np.testing.assert_allclose(features(waveform, settings), expected, rtol=3e-6, atol=2e-3)


def test_the_level_of_the_clip_does_not_matter() -> None:
    loud, quiet = (features(sound() * np.float32(gain), SETTINGS) for gain in (1, 1 / 16))
    np.testing.assert_allclose(loud, quiet, atol=1e-2)


def test_each_clip_has_its_own_range() -> None:
    frontend = Mfcc(SETTINGS, sample_rate_hz=RATE_HZ)
    mine = torch.from_numpy(sound())
    beside_a_click = torch.stack([mine, click()])
    torch.testing.assert_close(
        frontend(beside_a_click)[:1], frontend(mine[None]), rtol=1e-4, atol=1e-3
    )


def test_it_streams_without_peak_range_slopes_and_mirrored_edges() -> None:
    reasons = Mfcc(SETTINGS, sample_rate_hz=RATE_HZ).why_not_streaming().split("; ")
    named = [reason.split(" ")[0] for reason in reasons]
    assert named == ["peak_normalise", "range_db", "centre", "slope_edges"]
    able = replace(SETTINGS, peak_normalise=False, range_db=0.0, centre="none")
    for settings in (replace(able, slopes=0), replace(able, slope_edges="valid")):
        assert Mfcc(settings, sample_rate_hz=RATE_HZ).why_not_streaming() == ""


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="must not exceed mels = 16, found 24"):
        MfccSettings(mels=16)
    with pytest.raises(ValueError, match="slope_width must be 3, 5, 7"):
        MfccSettings(slope_width=8)
    with pytest.raises(ValueError, match="a slope over 9 frames"):
        Mfcc(SETTINGS, sample_rate_hz=RATE_HZ)(torch.zeros(1, 3000))


def click() -> torch.Tensor:
    waveform = torch.zeros(64_000)
    waveform[1000] = 1.0
    return waveform
