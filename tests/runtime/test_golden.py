"""The golden signals are the same everywhere, and their record survives nothing but intact."""

import os
from pathlib import Path

import numpy as np
import pytest

from earlet.errors import BundleError
from earlet.golden import GoldenRecord, digest, signals
from earlet.manifest import WindowPolicy

WINDOW = WindowPolicy(window_samples=64_600, hop_samples=64_600, min_samples=1600)
SIXTEEN_KHZ = signals(window=WINDOW, sample_rate_hz=16_000)

PINNED = "153de43b795ed206f4276bd933bacb5a543288eff30827730e7dcd6db88a2ed0"
PINNED_8_KHZ = "0d8ba9d9f8ec891b079afe9bd60c6f87aaac4eb1963ee9d8b0a62aacf43ee620"


def record() -> GoldenRecord:
    return GoldenRecord(
        names=("a", "bé"),
        logits=np.array([[1, 2], [3, 4]], dtype=np.float32),
        feature_summary=np.zeros((2, 2), dtype=np.float32),
        signals_sha256="0" * 64,
    )


def test_the_signals_are_those_of_every_other_machine() -> None:
    """A change here makes every bundle in the world unverifiable: raise the version with it."""
    assert digest(SIXTEEN_KHZ) == PINNED
    other = WindowPolicy(window_samples=1001, hop_samples=10, min_samples=7, short="stretch")
    assert digest(signals(window=other, sample_rate_hz=8_000)) == PINNED_8_KHZ


def test_every_sample_is_a_16_bit_integer_over_32768() -> None:
    for wave in SIXTEEN_KHZ.values():
        scaled = wave.astype(np.float64) * 32768
        np.testing.assert_array_equal(scaled, np.rint(scaled))
        assert wave.dtype == np.float32
        assert len(wave) == WINDOW.window_samples
        assert np.abs(wave).max() < 1


def test_no_two_signals_are_alike() -> None:
    assert len({wave.tobytes() for wave in SIXTEEN_KHZ.values()}) == len(SIXTEEN_KHZ)
    assert 12 <= len(SIXTEEN_KHZ) <= 20


def test_they_reach_from_digital_silence_to_full_scale() -> None:
    peaks = {name: float(np.abs(wave).max()) for name, wave in SIXTEEN_KHZ.items()}
    assert peaks["silence"] == 0
    assert peaks["noise of one bit"] == 1 / 32768
    assert peaks["square at full scale"] == 32767 / 32768


def test_noise_is_white_and_has_no_offset() -> None:
    noise = SIXTEEN_KHZ["noise at full scale"].astype(np.float64)
    power = np.abs(np.fft.rfft(noise)) ** 2
    bands = power[1:32_001].reshape(16, -1).mean(axis=1)
    assert bands.max() / bands.min() < 1.2
    assert abs(noise.mean()) < 0.01


def test_a_voice_has_the_pitch_it_says() -> None:
    voice = SIXTEEN_KHZ["low voice"].astype(np.float64)[:16_000]
    spectrum = np.fft.rfft(voice, 65536)
    similar = np.fft.irfft(np.abs(spectrum) ** 2)
    lags = np.arange(100, 250)
    assert 16_000 / lags[np.argmax(similar[lags])] == pytest.approx(110, rel=0.05)


def test_a_detector_that_rejects_short_clips_is_asked_about_none() -> None:
    window = WindowPolicy(window_samples=4000, hop_samples=1, min_samples=100, short="reject")
    names = set(signals(window=window, sample_rate_hz=16_000))
    assert names == set(SIXTEEN_KHZ) - {"shortest clip allowed", "clip of odd length"}


def test_the_digest_notices_one_bit_and_the_order() -> None:
    waves = dict(SIXTEEN_KHZ)
    assert digest(dict(reversed(waves.items()))) != PINNED
    wave = waves["silence"].copy()
    wave[-1] = 1 / 32768
    assert digest({**waves, "silence": wave}) != PINNED


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record().save(tmp_path / "golden.npz")
    back = GoldenRecord.load(tmp_path / "golden.npz")
    assert back.names == record().names
    assert back.signals_sha256 == record().signals_sha256
    np.testing.assert_array_equal(back.logits, record().logits)
    np.testing.assert_array_equal(back.feature_summary, record().feature_summary)
    assert os.listdir(tmp_path) == ["golden.npz"]


def test_equal_records_are_equal_bytes_and_need_no_pickle(tmp_path: Path) -> None:
    assert record().to_bytes() == record().to_bytes()
    record().save(tmp_path / "golden.npz")
    with np.load(tmp_path / "golden.npz", allow_pickle=False) as archive:
        assert sorted(archive) == ["feature_summary", "logits", "names", "signals_sha256"]


@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_a_cut_off_record_is_refused(keep: int) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz does not hold golden answers"):
        GoldenRecord.from_bytes(record().to_bytes()[:keep], source="golden.npz")


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz cannot be read"):
        GoldenRecord.load(tmp_path / "golden.npz")


def test_answers_that_do_not_fit_their_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"logits should be \[1, K\]"):
        GoldenRecord(
            names=("a",),
            logits=np.zeros((2, 2), dtype=np.float32),
            feature_summary=np.zeros((1, 2), dtype=np.float32),
            signals_sha256="",
        )
