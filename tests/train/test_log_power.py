"""Log power against its definition and librosa, with the settings of two published systems."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from numpy.typing import NDArray
from oracles.log_power import oracle

from earlet_train.frontends.log_power import LogPower, LogPowerSettings

RATE_HZ = 16_000
F0_BAND = LogPowerSettings()
RES2NET = LogPowerSettings(
    n_fft=512, window_samples=400, hop_samples=160, window="povey", of="power", bins=0, frames=400
)


def noise(samples: int) -> NDArray[np.float32]:
    return np.random.default_rng(6).standard_normal(samples).astype(np.float32) * np.float32(0.1)


def features(waveform: NDArray[np.float32], settings: LogPowerSettings) -> NDArray[np.float32]:
    values = LogPower(settings, sample_rate_hz=RATE_HZ)(torch.from_numpy(waveform)[None])[0, 0]
    array: NDArray[np.float32] = values.numpy()
    return array


@pytest.mark.parametrize(
    "settings",
    [
        F0_BAND,
        RES2NET,
        replace(F0_BAND, frames=0, centre="causal", pre_emphasis=0.0, bins=0),
        replace(RES2NET, floor_ln=-10.0, centre="none"),
    ],
)
def test_log_power_follows_its_definition(settings: LogPowerSettings) -> None:
    for waveform in (noise(20_000), np.zeros(20_000, np.float32), np.sign(noise(20_000))):
        expected = oracle(waveform.astype(np.float64), settings, RATE_HZ)[0]
        values = features(waveform, settings)
        assert values.shape == expected.shape
        # Of the definition's `+ e^floor` only values near the floor see anything.
        above = expected > settings.floor_ln + 10
        error = np.abs(values - expected)[above]
        # The largest are in nulls of the spectrum, where float32 leaves few digits.
        assert error.size == 0 or (error.max() < 0.1 and np.quantile(error, 0.99) < 1e-3)
        assert values.min() >= settings.floor_ln


def test_five_seconds_are_the_published_f0_band() -> None:
    waveform = noise(80_000)
    spectrum = librosa.stft(
        scipy.signal.lfilter([1, -0.97], [1], waveform.astype(np.float64)),
        n_fft=1728,
        hop_length=130,
        window="blackman",
        pad_mode="reflect",
    )
    expected = np.log(np.abs(spectrum) + np.exp(-80))[:45, :600]
    error = np.abs(features(waveform, F0_BAND) - expected)
    # The largest are in nulls of the spectrum, where float32 leaves few digits.
    assert error.max() < 0.1
    assert np.quantile(error, 0.99) < 1e-3


def test_digital_silence_is_the_floor() -> None:
    assert (features(np.zeros(20_000, np.float32), F0_BAND) == -80.0).all()
    assert (features(np.zeros(20_000, np.float32), replace(F0_BAND, floor_ln=-5.0)) == -5.0).all()


def test_a_short_clip_is_repeated_and_a_long_one_cut() -> None:
    short, long = noise(26_000), noise(100_000)
    for waveform, own in ((short, 201), (long, 770)):
        every = features(waveform, replace(F0_BAND, frames=0))
        assert every.shape == (45, own)
        fixed = features(waveform, F0_BAND)
        assert fixed.shape == (45, 600)
        np.testing.assert_array_equal(fixed, np.tile(every, 3)[:, :600])


def test_power_is_twice_the_magnitude_in_logarithms() -> None:
    magnitude = features(noise(20_000), F0_BAND)
    power = features(noise(20_000), replace(F0_BAND, of="power"))
    np.testing.assert_allclose(power, 2 * magnitude, atol=1e-5)


def test_gradients_are_finite_on_silence() -> None:
    waveform = torch.zeros(1, 20_000, requires_grad=True)
    LogPower(F0_BAND, sample_rate_hz=RATE_HZ)(waveform).sum().backward()
    assert waveform.grad is not None
    assert torch.isfinite(waveform.grad).all()


def test_it_streams_with_as_many_frames_as_come() -> None:
    def reason(settings: LogPowerSettings) -> str:
        return LogPower(settings, sample_rate_hz=RATE_HZ).why_not_streaming()

    assert "centre" in reason(F0_BAND)
    assert "frames" in reason(F0_BAND)
    assert "first sample" in reason(replace(F0_BAND, centre="none", frames=0))
    assert reason(replace(F0_BAND, centre="none", frames=0, first_sample="dropped")) == ""


def test_more_bins_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match="865 bins, found bins = 900"):
        LogPower(replace(F0_BAND, bins=900), sample_rate_hz=RATE_HZ)
