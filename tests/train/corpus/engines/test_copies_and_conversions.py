from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earlet_train.corpus.engine import Request, Samples, Speech
from earlet_train.corpus.engines import ENGINES
from earlet_train.corpus.engines.conversion import draw_conversion
from earlet_train.corpus.pitch import pitch_hz
from earlet_train.corpus.speech_level import resample

COPIES = ["A05", "A06", "A09", "A16"]
CONVERSIONS = ["A07", "A08", "A10", "A11"]
NOWHERE = Path("no packages are needed")


def made_by(system: str, source: Speech, *, seed: int = 1, split: str | None = None) -> Samples:
    engine = ENGINES[system]
    request = Request(
        split=split or engine.splits[-1],
        language=source.language,
        text=None,
        source=source,
        rng=np.random.default_rng(seed),
    )
    spoken = engine.synthesize(request, NOWHERE)
    assert spoken is not None
    assert spoken.voice == source.speaker
    return resample(spoken.waveform, spoken.sample_rate_hz, 16_000)


def median_hz(waveform: Samples) -> float:
    f0_hz = pitch_hz(waveform)
    return float(np.median(f0_hz[f0_hz > 0]))


def band_db(waveform: Samples, low_hz: float, high_hz: float) -> float:
    power = np.abs(np.fft.rfft(waveform)) ** 2
    place = np.fft.rfftfreq(len(waveform), 1 / 16_000)
    inside = (place >= low_hz) & (place < high_hz)
    return float(10 * np.log10(power[inside].mean() / power.mean()))


@pytest.mark.parametrize("system", COPIES + CONVERSIONS)
def test_what_comes_back_is_sound_and_not_the_source(system: str, speech: Speech) -> None:
    made = made_by(system, speech)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert 0.02 < np.sqrt(np.mean(made**2)) < 0.5
    length = min(len(made), len(speech.waveform))
    likeness = np.corrcoef(made[:length], speech.waveform[:length])[0, 1]
    assert abs(likeness) < 0.995


@pytest.mark.parametrize("system", COPIES + CONVERSIONS)
def test_the_same_generator_gives_the_same_sound(system: str, speech: Speech) -> None:
    np.testing.assert_array_equal(made_by(system, speech), made_by(system, speech))


@pytest.mark.parametrize("system", ["A06", "A09", "A16", *CONVERSIONS])
def test_another_generator_gives_another_sound(system: str, speech: Speech) -> None:
    one, two = made_by(system, speech, seed=1), made_by(system, speech, seed=2)
    length = min(len(one), len(two))
    assert not np.allclose(one[:length], two[:length], atol=1e-3)


@pytest.mark.parametrize("system", [*COPIES, "A07", "A08", "A10"])
def test_duration_is_kept(system: str, speech: Speech) -> None:
    assert len(made_by(system, speech)) == pytest.approx(len(speech.waveform), abs=170)


def test_waveform_filtering_changes_tempo_with_pitch(speech: Speech) -> None:
    goal = draw_conversion(speech.waveform, np.random.default_rng(1))
    expected = len(speech.waveform) / np.sqrt(goal.pitch)
    assert len(made_by("A11", speech)) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("system", ["A05", "A09", "A16"])
def test_a_copy_keeps_the_pitch(system: str, speech: Speech) -> None:
    assert median_hz(made_by(system, speech)) == pytest.approx(median_hz(speech.waveform), rel=0.02)


@pytest.mark.parametrize("system", CONVERSIONS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_conversion_moves_the_pitch_as_drawn(system: str, seed: int, speech: Speech) -> None:
    goal = draw_conversion(speech.waveform, np.random.default_rng(seed))
    factor = np.sqrt(goal.pitch) if system == "A11" else goal.pitch
    expected = median_hz(speech.waveform) * factor
    assert median_hz(made_by(system, speech, seed=seed)) == pytest.approx(expected, rel=0.035)


@pytest.mark.parametrize("system", CONVERSIONS)
def test_no_conversion_leaves_the_top_of_the_band_empty(system: str, speech: Speech) -> None:
    noisy = replace(
        speech,
        waveform=speech.waveform
        + 0.01 * np.random.default_rng(3).standard_normal(len(speech.waveform)).astype(np.float32),
    )
    for seed in range(4):
        lost = band_db(noisy.waveform, 7_300, 7_800) - band_db(
            made_by(system, noisy, seed=seed), 7_300, 7_800
        )
        assert lost < 9.0


@pytest.mark.parametrize("system", ["A05", "A06"])
def test_train_hears_variants_that_eval_does_not(system: str, speech: Speech) -> None:
    plain = made_by(system, speech, split="eval", seed=0)
    in_train = [made_by(system, speech, split="train", seed=seed) for seed in range(6)]
    # Compared by magnitude: phases of Griffin-Lim differ by seed anyway.
    likeness = [
        np.corrcoef(np.abs(np.fft.rfft(plain)), np.abs(np.fft.rfft(made)))[0, 1]
        for made in in_train
    ]
    assert min(likeness) < 0.995
    if system == "A05":
        assert max(likeness) > 0.99999


@pytest.mark.parametrize("system", COPIES)
def test_a_copy_stays_near_the_spectrum_of_its_source(system: str, speech: Speech) -> None:
    length = len(speech.waveform) // 160 * 160

    def bands_db(x: Samples) -> Samples:
        frames = np.lib.stride_tricks.sliding_window_view(x[: length - 160], 512)[::160]
        bands = np.abs(np.fft.rfft(frames * np.hanning(512)))[:, :256].reshape(-1, 64, 4)
        return np.asarray(20 * np.log10(np.maximum(bands.mean(axis=2), 1e-2)), np.float32)

    made = np.pad(made_by(system, speech), (0, 160))
    assert np.mean(np.abs(bands_db(made) - bands_db(speech.waveform))) < 2.5


@pytest.mark.parametrize("system", [*COPIES, *CONVERSIONS, "A12"])
def test_without_a_source_there_is_nothing_to_copy(system: str) -> None:
    request = Request(
        split="eval", language="fr", text="Bonjour", source=None, rng=np.random.default_rng(0)
    )
    assert ENGINES[system].synthesize(request, NOWHERE) is None
