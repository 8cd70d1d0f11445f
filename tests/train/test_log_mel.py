"""Log-mel against librosa in its conventions, and what only some of them promise."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from numpy.typing import NDArray
from oracles.log_mel import oracle

from earlet_train.frontends.log_mel import LogMel, LogMelSettings

RATE_HZ = 16_000
SETTINGS = LogMelSettings()
CONVENTIONS = [
    SETTINGS,
    replace(SETTINGS, scale="htk", norm="none", mels=64, n_fft=512),
    replace(SETTINGS, scale="htk", mels=80, log="db", range_db=80.0, window="hamming"),
    replace(SETTINGS, norm="none", mels=40, low_hz=60.0, high_hz=7600.0, centre="none"),
    replace(SETTINGS, range_db=40.0, centre="zero", floor=1e-5, window_samples=0),
    replace(SETTINGS, centre="causal", high_hz=4000.0, mels=64),
]


def sound(samples: int = 16_000) -> NDArray[np.float32]:
    rng = np.random.default_rng(4)
    decay = np.logspace(0, -3, samples)
    return (rng.standard_normal(samples) * decay * 0.2).astype(np.float32)


def features(waveform: NDArray[np.float32], settings: LogMelSettings) -> NDArray[np.float32]:
    values = LogMel(settings, sample_rate_hz=RATE_HZ)(torch.from_numpy(waveform)[None])[0, 0]
    array: NDArray[np.float32] = values.numpy()
    return array


@pytest.mark.parametrize("settings", CONVENTIONS)
def test_every_convention_follows_its_definition(settings: LogMelSettings) -> None:
    for waveform in (sound(), np.zeros(16_000, np.float32), np.sign(sound())):
        expected = oracle(waveform.astype(np.float64), settings, RATE_HZ)[0]
        np.testing.assert_allclose(features(waveform, settings), expected, atol=1e-3)


def test_the_whole_of_it_is_librosas() -> None:
    power = librosa.feature.melspectrogram(
        y=sound().astype(np.float64),
        sr=RATE_HZ,
        n_fft=1024,
        win_length=400,
        hop_length=160,
        pad_mode="reflect",
        n_mels=128,
    )
    np.testing.assert_allclose(features(sound(), SETTINGS), np.log(power), atol=1e-3)


def test_htk_without_norm_is_torchaudios_default() -> None:
    transform = torchaudio.transforms.MelSpectrogram(
        sample_rate=RATE_HZ, n_fft=512, win_length=400, hop_length=160, n_mels=64
    )
    expected = transform(torch.from_numpy(sound())).log().numpy()
    settings = replace(SETTINGS, scale="htk", norm="none", mels=64, n_fft=512)
    np.testing.assert_allclose(features(sound(), settings), expected, atol=1e-3)


def test_a_second_has_101_frames() -> None:
    assert features(sound(), SETTINGS).shape == (128, 101)


def test_a_tone_lights_the_filter_around_it() -> None:
    centres_hz = librosa.mel_frequencies(n_mels=42, fmin=0, fmax=8000)[1:-1]
    for hz in centres_hz[3::6]:
        tone = np.sin(2 * np.pi * hz / RATE_HZ * np.arange(16_000)).astype(np.float32)
        # Without norm, so that wide filters are not handicapped.
        settings = replace(SETTINGS, mels=40, norm="none", centre="none")
        lit = features(tone, settings).argmax(axis=0)
        assert (centres_hz[lit] == hz).all()


def test_decibels_are_natural_logarithms_in_another_unit() -> None:
    nepers, decibels = (
        features(sound(), replace(SETTINGS, log=log, range_db=30.0)) for log in ("ln", "db")
    )
    np.testing.assert_allclose(decibels, nepers * 10 / np.log(10), atol=1e-4)
    assert np.ptp(decibels) == pytest.approx(30, abs=1e-4)


def test_only_bins_under_a_filter_are_computed() -> None:
    assert LogMel(replace(SETTINGS, high_hz=4000.0), sample_rate_hz=RATE_HZ).dft.bins == 256


def test_it_streams_unless_it_looks_ahead_or_for_the_loudest() -> None:
    def reason(settings: LogMelSettings) -> str:
        return LogMel(settings, sample_rate_hz=RATE_HZ).why_not_streaming()

    assert "centre = 'reflect'" in reason(SETTINGS)
    assert "range_db" in reason(replace(SETTINGS, centre="none", range_db=80.0))
    assert reason(replace(SETTINGS, centre="none")) == ""
    assert reason(replace(SETTINGS, centre="none")) == ""


def test_filters_that_hold_no_bin_are_refused() -> None:
    with pytest.raises(ValueError, match="filters fall between two bins of n_fft 512"):
        LogMel(replace(SETTINGS, n_fft=512, mels=256), sample_rate_hz=RATE_HZ)
    with pytest.raises(ValueError, match="0 <= low_hz < high_hz <= 8000"):
        LogMel(replace(SETTINGS, low_hz=9000.0), sample_rate_hz=RATE_HZ)
