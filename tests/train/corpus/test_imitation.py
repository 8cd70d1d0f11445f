import numpy as np
import pytest
from scipy.signal import lfilter

from earlet_train.corpus.engine import Codec, Samples, Speech
from earlet_train.corpus.imitation import (
    NODES_HZ,
    imitate_source,
    long_term_db,
    recorded_silence,
)
from earlet_train.corpus.speech_level import (
    SPEECH_LEVEL_DB,
    at_speech_level,
    speech_level_db,
)

RATE_HZ = 16_000


def voice(*, tilt: float, floor: float, seed: int, pitch_hz: float = 130.0) -> Samples:
    """Three words of harmonics and breath through a one-pole tilt, over a steady noise floor."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(3):
        t = np.arange(round(0.7 * RATE_HZ)) / RATE_HZ
        word = sum(np.sin(2 * np.pi * pitch_hz * k * t) / np.sqrt(k) for k in range(1, 55))
        parts += [lfilter([1.0], [1.0, -tilt], word + 0.3 * rng.standard_normal(len(t)))]
        parts += [np.zeros(round(0.25 * RATE_HZ))]
    x = at_speech_level(np.concatenate(parts[:-1]).astype(np.float32), level_db=SPEECH_LEVEL_DB)
    hiss = lfilter([1.0], [1.0, 0.9], rng.standard_normal(len(x)))
    return np.asarray(x + floor * hiss / hiss.std(), np.float32)


def recording(waveform: Samples, codec: Codec = "pcm", rate_hz: int = RATE_HZ) -> Speech:
    return Speech(
        name="donor",
        waveform=waveform,
        speaker="donor",
        language="fr",
        split="train",
        text=None,
        codec=codec,
        source_rate_hz=rate_hz,
    )


def spectral_distance_db(a: Samples, b: Samples) -> float:
    difference = long_term_db(a) - long_term_db(b)
    return float(np.mean(np.abs(difference - difference.mean())))


def test_text_to_speech_takes_its_donors_long_term_spectrum() -> None:
    donor, made = voice(tilt=0.8, floor=0.001, seed=1), voice(tilt=0.0, floor=0.0, seed=2)
    rng = np.random.default_rng(0)
    imitated = imitate_source(made, method="tts", source=recording(donor), rng=rng)
    assert spectral_distance_db(made, donor) > 4.0
    assert spectral_distance_db(imitated, donor) < 1.0
    assert len(imitated) == len(made)
    assert speech_level_db(imitated) == pytest.approx(SPEECH_LEVEL_DB, abs=0.5)


def test_text_to_speech_takes_its_donors_recorded_noise_floor() -> None:
    donor, made = voice(tilt=0.5, floor=0.004, seed=1), voice(tilt=0.5, floor=0.0, seed=2)
    imitated = imitate_source(
        made, method="tts", source=recording(donor), rng=np.random.default_rng(0)
    )
    pause = slice(round(0.76 * RATE_HZ), round(0.89 * RATE_HZ))
    level_db = [20 * np.log10(np.std(x[pause])) for x in (donor, imitated)]
    assert level_db[0] == pytest.approx(level_db[1], abs=1.5)
    colour = [np.corrcoef(x[pause][1:], x[pause][:-1])[0, 1] for x in (donor, imitated)]
    assert colour[0] == pytest.approx(colour[1], abs=0.1)


def test_spliced_silence_holds_no_speech_and_any_length() -> None:
    donor = voice(tilt=0.5, floor=0.002, seed=3)
    for samples in (100, 16_000, 160_000):
        floor = recorded_silence(donor, samples=samples, rng=np.random.default_rng(1))
        assert floor.shape == (samples,)
        assert np.std(floor) == pytest.approx(0.002, rel=0.25)
        assert np.abs(floor).max() < 0.012


def test_a_donor_without_pauses_lends_its_quietest_moments() -> None:
    donor = voice(tilt=0.5, floor=0.001, seed=3)[: round(0.68 * RATE_HZ)]
    floor = recorded_silence(donor, samples=8_000, rng=np.random.default_rng(1))
    assert np.isfinite(floor).all()


def test_a_copy_loses_its_bias_but_gets_no_second_floor() -> None:
    source = voice(tilt=0.6, floor=0.001, seed=1)
    biased = np.asarray(lfilter([1.0, -0.6], [1.0], source), np.float32)
    imitated = imitate_source(
        biased, method="copy", source=recording(source), rng=np.random.default_rng(0)
    )
    assert spectral_distance_db(biased, source) > 2.5
    assert spectral_distance_db(imitated, source) < 0.8
    pause = slice(round(0.76 * RATE_HZ), round(0.89 * RATE_HZ))
    assert np.std(imitated[pause]) < 1.6 * np.std(source[pause])


@pytest.mark.parametrize(("codec", "rate_hz"), [("g722", 16_000), ("vorbis", 22_050)])
def test_what_was_stored_by_a_codec_is_imitated_with_it(codec: Codec, rate_hz: int) -> None:
    source = voice(tilt=0.6, floor=0.001, seed=1)
    coded, plain = (
        imitate_source(source, method="vc", source=donor, rng=np.random.default_rng(0))
        for donor in (recording(source, codec=codec, rate_hz=rate_hz), recording(source))
    )
    assert len(plain) == len(coded)
    noise_db = 10 * np.log10(np.mean((plain - coded) ** 2) / np.mean(plain**2))
    assert -45 < noise_db < -8


def test_long_term_bands_rise_where_the_sound_does() -> None:
    flat, tilted = voice(tilt=0.0, floor=0.0, seed=2), voice(tilt=0.9, floor=0.0, seed=2)
    difference = long_term_db(tilted) - long_term_db(flat)
    assert difference[0] - difference[-1] > 15
    assert len(difference) == len(NODES_HZ)
