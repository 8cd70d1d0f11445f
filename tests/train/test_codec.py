import numpy as np
import pytest

from earlet_train.augmentations.augmentation import Floats
from earlet_train.augmentations.codec import RATES_HZ, Codec, CodecSettings
from earlet_train.corpus.codecs import TRANSPORTS, Transport


def voice(rate_hz: int) -> Floats:
    t = np.arange(rate_hz) / rate_hz
    phase = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 5 * t)) / rate_hz
    wave = sum(np.sin(k * phase) / k for k in range(1, 20)) * (0.2 + np.sin(2 * np.pi * 3 * t) ** 2)
    levelled: Floats = (0.4 * wave / np.abs(wave).max()).astype(np.float32)
    return levelled


def coded(transport: Transport, *, rate_hz: int, effort: float = 0.5, seed: int = 0) -> Floats:
    settings = CodecSettings(
        probability=1.0, transports=(transport,), low_effort=effort, high_effort=effort
    )
    codec = Codec(settings, sample_rate_hz=rate_hz)
    return codec.waveform(voice(rate_hz), np.random.default_rng(seed))


def test_every_codec_of_the_corpus_is_on_offer() -> None:
    assert set(RATES_HZ) == set(TRANSPORTS)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_codec_is_heard_and_nothing_is_late(transport: Transport, rate_hz: int) -> None:
    original, heard = voice(rate_hz), coded(transport, rate_hz=rate_hz)
    likeness = float(np.corrcoef(original, heard)[0, 1])
    assert 0.9 < likeness < 0.999999
    few = rate_hz // 4_000
    for late in (-few, few):
        assert np.corrcoef(original, np.roll(heard, late))[0, 1] < likeness


def test_more_effort_keeps_less() -> None:
    wave = voice(16_000)
    lost = [float(np.std(coded("opus", rate_hz=16_000, effort=e) - wave)) for e in (0.0, 1.0)]
    assert lost[1] > 1.2 * lost[0]


def test_all_transports_are_drawn() -> None:
    codec = Codec(CodecSettings(probability=1.0), sample_rate_hz=16_000)
    short = voice(16_000)[:4_000]
    heard = {codec.waveform(short, np.random.default_rng(s)).tobytes() for s in range(20)}
    assert len(heard) > 10


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        CodecSettings(transports=())
    with pytest.raises(ValueError, match="low_effort"):
        CodecSettings(low_effort=0.9, high_effort=0.1)
