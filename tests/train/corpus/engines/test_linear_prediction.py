import numpy as np
from scipy.signal import lfilter

from earlet_train.corpus.engines.linear_prediction import (
    filtered,
    framed,
    overlap_added,
    predictors,
    warped_predictors,
)
from earlet_train.corpus.engines.time_scale import played_faster, repitched, stretched

RATE_HZ = 16_000


def resonance(frequency_hz: float, *, width_hz: float = 120.0) -> np.ndarray:
    r = np.exp(-np.pi * width_hz / RATE_HZ)
    return np.array([1.0, -2 * r * np.cos(2 * np.pi * frequency_hz / RATE_HZ), r * r])


def peak_hz(coefficients: np.ndarray) -> float:
    response = 1 / np.abs(np.fft.rfft(coefficients, 8_192))
    return float(np.argmax(response) * RATE_HZ / 8_192)


def tone(frequency_hz: float, *, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def strongest_hz(waveform: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)), 2**18))
    return float(np.argmax(power) * RATE_HZ / 2**18)


def test_frames_add_up_to_the_waveform_they_came_from() -> None:
    x = np.random.default_rng(0).standard_normal(5_003)
    np.testing.assert_allclose(overlap_added(framed(x), samples=len(x)), x, atol=1e-9)


def test_prediction_finds_the_filter_that_made_the_sound() -> None:
    noise = np.random.default_rng(1).standard_normal(200_000)
    known = np.convolve(resonance(700.0), resonance(2_200.0))
    found, power = predictors(lfilter([1.0], known, noise)[None] / 400, order=4)
    # The noise floor of -50 dB that keeps filters stable costs this much.
    np.testing.assert_allclose(found[0], known, atol=0.06)
    assert power.shape == (1,)


def test_a_warped_envelope_has_its_formant_in_the_new_place() -> None:
    before = resonance(1_000.0)[None]
    for warp in (0.85, 1.2):
        after, _ = warped_predictors(before, np.ones(1), warp)
        assert abs(peak_hz(after[0]) - 1_000 * warp) < 25


def test_every_filter_found_is_stable() -> None:
    frames = framed(tone(440.0))
    coefficients, power = predictors(frames, order=18)
    assert (power > 0).all()
    for row in coefficients[::20]:
        assert np.abs(np.roots(row)).max() < 1


def test_zeros_and_poles_of_the_same_filter_cancel() -> None:
    frames = framed(np.random.default_rng(2).standard_normal(3_000))
    coefficients, _ = predictors(frames, order=10)
    same = filtered(frames, zeros=coefficients, poles=coefficients)
    np.testing.assert_allclose(same[:, : frames.shape[1]], frames, atol=1e-9)


def test_stretching_keeps_the_pitch_and_changes_the_length() -> None:
    for factor in (0.8, 1.3):
        made = stretched(tone(200.0), factor)
        assert abs(len(made) - factor * RATE_HZ) <= 1
        assert abs(strongest_hz(made[2_000:-2_000]) - 200) < 3


def test_a_tape_played_faster_is_shorter_and_higher() -> None:
    made = played_faster(tone(200.0), 1.25)
    assert abs(len(made) - RATE_HZ / 1.25) <= 1
    assert abs(strongest_hz(made) - 250) < 1


def test_repitching_keeps_the_length_and_changes_the_pitch() -> None:
    for factor in (0.8, 1.25):
        made = repitched(tone(200.0), factor)
        assert len(made) == RATE_HZ
        assert abs(strongest_hz(made[2_000:-2_000]) - 200 * factor) < 4
