import numpy as np
import pytest
import scipy.signal
import torch

from earlet_train.frontends.sinc import Sinc, SincSettings, band_passes

RATE_HZ = 16_000


def test_the_filters_are_scipys_windowed_band_passes() -> None:
    """`firwin` builds the same from edges in Hz, by its own code."""
    edges_mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 71)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    found = band_passes(70, 129, RATE_HZ)
    for i in (1, 20, 68):
        borders = [edges_hz[i], edges_hz[i + 1]]
        expected = scipy.signal.firwin(
            129, borders, window="hamming", pass_zero=False, scale=False, fs=RATE_HZ
        )
        np.testing.assert_allclose(found[i], expected, atol=1e-7)


def test_a_tone_lights_the_filter_whose_band_it_is_in() -> None:
    frontend = Sinc(SincSettings(pool=1), sample_rate_hz=RATE_HZ)
    edges_hz = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 71) / 2595) - 1)
    for band in (35, 50, 65):
        hz = (edges_hz[band] + edges_hz[band + 1]) / 2
        tone = torch.sin(2 * torch.pi * hz / RATE_HZ * torch.arange(8_000))
        picture = frontend(tone[None].float())[0, 0]
        assert int(picture.mean(dim=1).argmax()) == band


def test_it_equals_a_plain_convolution_and_a_pool() -> None:
    rng = np.random.default_rng(2)
    waveform = rng.standard_normal(400).astype(np.float32)
    kernels = band_passes(6, 33, RATE_HZ)
    frontend = Sinc(SincSettings(filters=6, taps=33), sample_rate_hz=RATE_HZ)
    bands = np.stack([np.abs(np.correlate(waveform, k, "valid")) for k in kernels])
    frames = bands.shape[1] // 3
    expected = bands[:, : frames * 3].reshape(2, 3, frames, 3).max(axis=(1, 3))
    found = frontend(torch.from_numpy(waveform)[None])[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_window_too_short_and_even_taps_are_refused() -> None:
    with pytest.raises(ValueError, match="found a window of 100 samples, expected at least 131"):
        Sinc(SincSettings(), sample_rate_hz=RATE_HZ)(torch.zeros(1, 100))
    with pytest.raises(ValueError, match="taps must be odd"):
        SincSettings(taps=128)
    with pytest.raises(ValueError, match="at most filters"):
        SincSettings(filters=2)
