import numpy as np
import pytest
from numpy.typing import NDArray

from earlet_train.corpus import channel
from earlet_train.corpus.channel import (
    LEVEL_DB,
    add_noise,
    common_channel,
    cut_to_speech,
    either_polarity,
    equalize,
    filter_to,
    shorten_pauses,
    to_pcm,
)
from earlet_train.corpus.engine import Samples
from earlet_train.corpus.speech_level import (
    prepare_speech,
    speech_frames,
    speech_level_db,
    speech_span,
)

RATE_HZ = 16_000


def words(*lengths_s: float, pause_s: float, seed: int = 0) -> Samples:
    """Loud harmonics of these lengths with near-silent pauses of this length between them."""
    rng = np.random.default_rng(seed)
    parts = []
    for length_s in lengths_s:
        t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
        parts.append(sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 40)) * 0.1)
        parts.append(np.zeros(round(pause_s * RATE_HZ)))
    whole = np.concatenate(parts[:-1])
    return np.asarray(whole + 1e-4 * rng.standard_normal(len(whole)), np.float32)


def sent(
    waveform: Samples, *, seed: int, lengths_s: tuple[float, ...] = (9.0,)
) -> NDArray[np.int16]:
    pcm = common_channel(waveform, lengths_s=lengths_s, rng=np.random.default_rng(seed))
    assert pcm is not None
    return pcm


def as_float(pcm: NDArray[np.int16]) -> Samples:
    return (pcm / 32_768).astype(np.float32)


def longest_run_s(flags: NDArray[np.bool_]) -> float:
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return float((edges[1::2] - edges[::2]).max(initial=0)) * 0.01


def test_the_same_sound_and_generator_give_the_same_file_whatever_it_is_called() -> None:
    x = words(0.9, 1.1, 0.7, pause_s=0.4)
    np.testing.assert_array_equal(sent(x, seed=7), sent(x.copy(), seed=7))
    assert not np.array_equal(sent(x, seed=7)[:1_000], sent(x, seed=8)[:1_000])


def test_two_sounds_of_one_shape_draw_the_same_treatment() -> None:
    """The generator's draws depend on length and pauses, never on what the samples are."""
    x = words(1.0, 1.0, 1.0, pause_s=0.4)
    after = []
    for sound in (x, -0.5 * x):
        rng = np.random.default_rng(5)
        pcm = common_channel(sound.astype(np.float32), lengths_s=(9.0,), rng=rng)
        assert pcm is not None
        after.append((len(pcm), rng.uniform()))
    assert after[0] == after[1]


@pytest.mark.parametrize("seed", range(12))
def test_level_length_and_type_are_as_promised(seed: int) -> None:
    pcm = sent(words(0.9, 1.1, 0.7, pause_s=0.4), seed=seed)
    assert pcm.dtype == np.int16
    assert len(pcm) >= 1.5 * RATE_HZ
    assert LEVEL_DB[0] - 0.5 < speech_level_db(as_float(pcm)) < LEVEL_DB[1] + 0.5
    assert np.abs(pcm.astype(np.int32)).max() < 32_700


def test_both_ends_are_inside_speech() -> None:
    x = np.pad(words(1.0, 1.2, pause_s=0.3), 3_000)
    for seed in range(8):
        cut = cut_to_speech(x, lengths_s=(9.0,), rng=np.random.default_rng(seed))
        assert cut is not None
        first, last = speech_span(speech_frames(x))
        removed = (last - first) - len(cut)
        assert 2 * 0.06 * RATE_HZ - 2 <= removed <= 2 * 0.14 * RATE_HZ + 2
        assert speech_frames(cut)[0]
        assert speech_frames(cut)[-1]


def test_pauses_are_shortened_and_short_ones_left_alone() -> None:
    for pause_s in (0.25, 0.6, 1.5):
        x = words(0.8, 0.8, 0.8, pause_s=pause_s)
        made = shorten_pauses(x, rng=np.random.default_rng(1))
        assert longest_run_s(~speech_frames(made)) < 0.2
        assert len(made) > 2.4 * RATE_HZ
    x = words(0.8, 0.8, pause_s=0.12)
    np.testing.assert_array_equal(shorten_pauses(x, rng=np.random.default_rng(1)), x)


def test_length_follows_the_lengths_of_the_bona_fide() -> None:
    x = words(5.0, pause_s=0.0)
    for wanted_s in (2.0, 3.5):
        pcm = sent(x, seed=3, lengths_s=(wanted_s,))
        assert wanted_s - 0.3 < len(pcm) / RATE_HZ < wanted_s


def test_too_little_speech_gives_nothing() -> None:
    rng = np.random.default_rng(0)
    assert common_channel(words(1.2, pause_s=0.0), lengths_s=(9.0,), rng=rng) is None
    silence = np.zeros(3 * RATE_HZ, np.float32)
    assert common_channel(silence, lengths_s=(9.0,), rng=rng) is None


def test_a_filter_has_the_gain_it_was_asked_for_and_no_delay() -> None:
    impulse = np.zeros(4_000, np.float32)
    impulse[2_000] = 1.0
    nodes_hz = np.array([80.0, 1_000.0, 8_000.0])
    made = filter_to(impulse, nodes_hz, np.array([-6.0, 3.0, -3.0]))
    assert int(np.argmax(np.abs(made))) == 2_000
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(made)))
    assert gain_db[250] == pytest.approx(3.0, abs=0.3)
    assert gain_db[-2] == pytest.approx(-3.0, abs=0.5)


def test_the_equalizer_stays_within_four_decibels() -> None:
    impulse = np.zeros(4_000, np.float32)
    impulse[2_000] = 1.0
    for seed in range(5):
        made = equalize(impulse, rng=np.random.default_rng(seed))
        gain_db = 20 * np.log10(np.abs(np.fft.rfft(made))[25:1_950])
        assert np.abs(gain_db).max() < 4.3
        assert np.ptp(gain_db) > 0.5


def test_half_of_all_files_are_upside_down() -> None:
    x = words(0.2, pause_s=0.0)
    flipped = [
        bool(np.array_equal(either_polarity(x, rng=np.random.default_rng(seed)), -x))
        for seed in range(200)
    ]
    assert 75 < sum(flipped) < 125


def test_noise_lies_25_to_45_decibels_below() -> None:
    x = words(2.0, pause_s=0.0)
    for seed in range(6):
        noise = add_noise(x, rng=np.random.default_rng(seed)) - x
        snr_db = 10 * np.log10(np.mean(x**2) / np.mean(noise**2))
        assert 24.9 < snr_db < 45.1


def test_about_a_third_go_through_a_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    used = []

    def remember(waveform: Samples, transport: str, **_: object) -> Samples:
        used.append(transport)
        return waveform

    monkeypatch.setattr(channel, "transcode", remember)
    x = np.zeros(100, np.float32)
    for seed in range(600):
        channel.send(x, rng=np.random.default_rng(seed))
    assert 0.29 < len(used) / 600 < 0.41
    assert set(used) == {"vorbis", "opus", "mp3", "mu-law", "gsm"}


def test_a_click_makes_the_file_quieter_and_never_clips() -> None:
    x = words(2.0, pause_s=0.0)
    x[9_000] = 30.0
    pcm = to_pcm(x, rng=np.random.default_rng(0))
    assert 30_000 < np.abs(pcm.astype(np.int32)).max() < 32_700


def test_preparation_gives_16_khz_speech_at_its_level_without_silence_or_hum() -> None:
    x = words(0.8, 0.9, pause_s=0.3)
    hum = 0.05 * np.sin(2 * np.pi * 20 * np.arange(len(x) + 20_000) / RATE_HZ)
    padded = (np.pad(x, 10_000) + hum + 0.1).astype(np.float32)
    for rate_hz in (16_000, 22_050, 44_100):
        made = prepare_speech(padded, sample_rate_hz=rate_hz)
        assert made is not None
        assert speech_level_db(made) == pytest.approx(-23.0, abs=0.3)
        assert abs(np.mean(made)) < 1e-3
        spoken_s = len(x) / rate_hz
        assert spoken_s - 0.05 < len(made) / RATE_HZ < spoken_s + 0.16


def test_silence_and_nonsense_are_no_speech() -> None:
    assert prepare_speech(np.zeros(RATE_HZ, np.float32), sample_rate_hz=RATE_HZ) is None
    assert prepare_speech(np.zeros(10, np.float32), sample_rate_hz=RATE_HZ) is None
    broken = words(1.0, pause_s=0.0)
    broken[5_000] = np.nan
    assert prepare_speech(broken, sample_rate_hz=RATE_HZ) is None
