"""Resampling keeps what it may keep, drops what would alias, and moves nothing in time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from earlet.errors import AudioError
from earlet.resample import ATTENUATION_DB, PASSBAND, filter_rows, resample

PAIRS = [
    (44_100, 16_000),
    (48_000, 16_000),
    (8_000, 16_000),
    (22_050, 16_000),
    (16_000, 44_100),
    (11_025, 8_000),
    (16_001, 16_000),
]


def sine(
    hz: float, rate_hz: int, seconds: float = 0.5
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    n = np.arange(round(seconds * rate_hz))
    return np.sin(2 * np.pi * hz * n / rate_hz).astype(np.float32)


def middle(wave: np.ndarray[tuple[int], np.dtype[np.float32]]) -> slice:
    return slice(len(wave) // 4, 3 * len(wave) // 4)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_tone_in_the_pass_band_is_the_same_tone_at_the_same_time(
    from_hz: int, to_hz: int
) -> None:
    lower = min(from_hz, to_hz) / 2
    for hz in np.linspace(0.01, PASSBAND, 8) * lower:
        resampled = resample(sine(hz, from_hz), from_hz, to_hz)
        wanted = sine(hz, to_hz)[: len(resampled)]
        where = middle(wanted)
        # 0.002 dB is 2.3e-4 of the amplitude; a shift of 1/100 sample would be 30 times more.
        np.testing.assert_allclose(resampled[where], wanted[where], atol=3e-4)


@pytest.mark.parametrize(("from_hz", "to_hz"), [p for p in PAIRS if p[0] > 1.2 * p[1]])
def test_what_would_alias_is_ninety_db_down(from_hz: int, to_hz: int) -> None:
    top = min(from_hz / 2, 3 * to_hz / 2)
    for hz in np.linspace(to_hz / 2 + 1, top - 1, 7):
        resampled = resample(sine(hz, from_hz), from_hz, to_hz)
        rms = float(np.sqrt(np.mean(np.square(resampled[middle(resampled)], dtype=np.float64))))
        assert 20 * math.log10(rms * math.sqrt(2) + 1e-12) < -ATTENUATION_DB


def test_raising_the_rate_adds_no_image() -> None:
    resampled = resample(sine(1000, 8_000, seconds=1), 8_000, 16_000).astype(np.float64)
    inside = resampled[2000:14_000] * np.hanning(12_000)
    spectrum = np.abs(np.fft.rfft(inside))
    assert spectrum[3050:].max() < spectrum.max() * 10 ** (-ATTENUATION_DB / 20)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_it_agrees_with_scipy_given_the_same_filter(from_hz: int, to_hz: int) -> None:
    common = math.gcd(from_hz, to_hz)
    L, M = to_hz // common, from_hz // common
    # Row p is the prototype sampled at n - p / L input samples: read backwards and interleaved,
    # with one zero at the end to make it symmetric in length, it is the filter scipy wants.
    prototype = filter_rows(L, M).astype(np.float64)[:, ::-1].T.ravel()
    half = len(prototype) // 2
    centred = np.concatenate([prototype, np.zeros(1)])
    assert centred[half] == pytest.approx(centred.max())
    # Long enough that the work is cut into several pieces.
    noise = np.random.default_rng(9).standard_normal(120_000).astype(np.float32)
    theirs = resample_poly(noise.astype(np.float64), L, M, window=centred / L)
    np.testing.assert_allclose(resample(noise, from_hz, to_hz), theirs, atol=1e-5)


@given(st.integers(1, 2000), st.sampled_from(PAIRS))
@settings(max_examples=40, deadline=None)
def test_the_length_is_the_duration(samples: int, rates: tuple[int, int]) -> None:
    wave = np.zeros(samples, dtype=np.float32)
    assert len(resample(wave, *rates)) == math.ceil(samples * rates[1] / rates[0])


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_constant_stays_that_constant(from_hz: int, to_hz: int) -> None:
    resampled = resample(np.full(from_hz // 4, 0.5, dtype=np.float32), from_hz, to_hz)
    np.testing.assert_allclose(resampled[middle(resampled)], 0.5, atol=1e-6)


def test_it_is_linear() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((2, 4410)).astype(np.float32)
    together = resample(a + b, 44_100, 16_000)
    apart = resample(a, 44_100, 16_000) + resample(b, 44_100, 16_000)
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_the_same_rate_changes_nothing() -> None:
    wave = sine(440, 16_000)
    np.testing.assert_array_equal(resample(wave, 16_000, 16_000), wave)


def test_one_sample_is_enough() -> None:
    assert resample(np.ones(1, dtype=np.float32), 8_000, 16_000).shape == (2,)


@pytest.mark.parametrize("rate", [16_000.0, "16000", True, None])
def test_a_rate_that_is_no_whole_number_is_refused(rate: object) -> None:
    with pytest.raises(AudioError, match="a whole number of Hz"):
        resample(np.zeros(10, dtype=np.float32), rate, 16_000)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [16, 0, -16_000, 10_000_000])
def test_a_rate_that_no_recording_has_is_refused(rate: int) -> None:
    with pytest.raises(AudioError, match="1000 to 768000 Hz"):
        resample(np.zeros(10, dtype=np.float32), rate, 16_000)
