"""CQCC against its definition, and what each of its steps promises."""

import numpy as np
import pytest
import torch
from oracles.cqcc import oracle

from earlet_train.frontends.clip_spectrum import ClipSpectrum, split
from earlet_train.frontends.constant_q import ConstantQ, constant_q_bands
from earlet_train.frontends.cqcc import Cqcc, CqccSettings, cepstral_matrix

RATE_HZ, SAMPLES = 16_000, 64_000
BANDS = constant_q_bands(
    samples=SAMPLES, sample_rate_hz=RATE_HZ, bands_per_octave=96, octaves=9, offset_hz=228.7
)


@pytest.fixture(scope="module")
def cqcc() -> Cqcc:
    return Cqcc(CqccSettings(), sample_rate_hz=RATE_HZ).eval()


def noise(samples: int = SAMPLES, seed: int = 3) -> torch.Tensor:
    return 0.1 * torch.randn(1, samples, generator=torch.Generator().manual_seed(seed))


def sine(hertz: float, amplitude: float = 1.0, samples: int = SAMPLES) -> torch.Tensor:
    time_s = torch.arange(samples, dtype=torch.float64) / RATE_HZ
    return (amplitude * torch.sin(2 * torch.pi * hertz * time_s)).float()[None]


# Lengths with equal, unequal and odd factors; the last has no factor near its root but a few.
@pytest.mark.parametrize("samples", [64, 15_000, 16_000, 3 * 5 * 7 * 11, 2 * 97])
def test_the_spectrum_of_a_clip_is_numpys(samples: int) -> None:
    wanted = samples // 2
    module = ClipSpectrum(samples=samples, highest_bin=wanted)
    x = noise(samples)
    real, imaginary = module(x)[0].double().numpy()
    expected = np.fft.fft(x[0].double().numpy())[: module.bins]
    assert module.bins > wanted
    scale = np.abs(expected).max()
    np.testing.assert_allclose((real + 1j * imaginary) / scale, expected / scale, atol=2e-6)


def test_a_clip_is_split_near_its_square_root() -> None:
    assert split(64_000) == (250, 256)


def test_a_clip_without_factors_is_refused() -> None:
    with pytest.raises(ValueError, match=r"64007 samples.*product of small primes"):
        split(64_007)


def test_the_published_transform_has_863_bands_and_469_instants() -> None:
    assert (len(BANDS.centres), BANDS.instants) == (863, 469)


@pytest.mark.parametrize("band", [100, 431, 862])
def test_a_sine_of_full_scale_has_power_one_in_its_band_at_every_instant(band: int) -> None:
    transform = ConstantQ(samples=SAMPLES, bands=BANDS)
    power = transform(sine(BANDS.centres[band] * RATE_HZ / SAMPLES))[0]
    torch.testing.assert_close(power[band], torch.ones(469), rtol=1e-4, atol=1e-4)
    assert power[:, 234].argmax() in (band, band + 1)  # low centres share a bin


@pytest.mark.parametrize("sample", [16_000, 40_000])
def test_a_click_is_where_it_was_in_the_highest_band(sample: int) -> None:
    clip = torch.zeros(1, SAMPLES)
    clip[0, sample] = 1.0
    instant = ConstantQ(samples=SAMPLES, bands=BANDS)(clip)[0, -1].argmax().item()
    assert instant == round(sample * 469 / SAMPLES)


def test_other_sizes_of_the_transform_are_right_too() -> None:
    # Even numbers of instants, odd factors, another rate.
    settings = CqccSettings(clip_samples=7_650, bands_per_octave=24, octaves=5, coefficients=12)
    module = Cqcc(settings, sample_rate_hz=11_025)
    assert module.transform.instants % 2 == 0
    x = noise(7_650)
    expected = oracle(x[0].double().numpy(), settings, 11_025)
    np.testing.assert_allclose(module(x)[0].numpy(), expected, atol=2e-3)


def test_noise_matches_the_definition(cqcc: Cqcc) -> None:
    x = noise()
    expected = oracle(x[0].double().numpy(), CqccSettings(), RATE_HZ)
    assert expected.shape == (1, 90, 469)
    np.testing.assert_allclose(cqcc(x)[0].numpy(), expected, atol=5e-3)


def test_silence_is_the_floor_and_nothing_else(cqcc: Cqcc) -> None:
    silence = cqcc(torch.zeros(1, SAMPLES))[0, 0]
    c0 = np.sqrt(8059) * np.log(2.0**-52)
    torch.testing.assert_close(silence[0], torch.full((469,), c0, dtype=torch.float32))
    assert silence[1:].abs().max() < 1e-2


def test_ten_times_the_amplitude_raises_c0_by_a_constant(cqcc: Cqcc) -> None:
    quiet, loud = cqcc(noise() / 10), cqcc(noise())
    rise = np.sqrt(8059) * np.log(100)
    torch.testing.assert_close(
        (loud - quiet)[:, 0, 0], torch.full((1, 469), rise).float(), rtol=0, atol=0.05
    )
    torch.testing.assert_close(loud[:, 0, 1:], quiet[:, 0, 1:], rtol=0, atol=0.05)


def test_the_cepstrum_of_a_straight_line_in_hertz_is_its_cosine_transform() -> None:
    # A spline passes straight lines unchanged, so the resampled line is known exactly.
    matrix = cepstral_matrix(bands=863, bands_per_octave=96, first_octave_points=16, coefficients=3)
    line = 2.0 ** (np.arange(863) / 96)
    grid = 1 + np.arange(8059) / 16
    c0, c1, c2 = matrix @ line
    assert c0 == pytest.approx(grid.sum() / np.sqrt(8059))
    phase = np.pi * (2 * np.arange(8059) + 1) / (2 * 8059)
    assert c1 == pytest.approx(np.sqrt(2 / 8059) * (grid * np.cos(phase)).sum())
    assert c2 == pytest.approx(0, abs=1e-8 * abs(c1))


def test_a_window_of_another_length_is_refused(cqcc: Cqcc) -> None:
    with pytest.raises(ValueError, match="clips of 64000 samples, found windows of 16000"):
        cqcc(torch.zeros(1, 16_000))


def test_octaves_that_the_clip_cannot_resolve_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer octaves, a longer clip"):
        Cqcc(CqccSettings(clip_samples=800), sample_rate_hz=RATE_HZ)


def test_more_coefficients_than_points_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot give 30 coefficients"):
        Cqcc(CqccSettings(octaves=1, first_octave_points=8), sample_rate_hz=RATE_HZ)
