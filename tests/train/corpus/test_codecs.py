import numpy as np
import pytest
from scipy.signal import correlate

from earlet_train.corpus.codecs import TRANSPORTS, Transport, aligned, transcode
from earlet_train.corpus.engine import Samples

RATE_HZ = 16_000
CASES: list[tuple[Transport, int]] = [(t, 16_000) for t in TRANSPORTS]
CASES += [("vorbis", 22_050), ("vorbis", 44_100), ("mu-law", 8_000), ("gsm", 8_000)]


def speechlike(*, seconds: float = 2.0) -> Samples:
    """Low-passed noise with a syllable's rhythm: nothing periodic that could be misaligned."""
    rng = np.random.default_rng(2)
    n = round(seconds * RATE_HZ)
    smooth = np.convolve(rng.standard_normal(n), np.hanning(24), "same")
    rhythm = 0.2 + np.abs(np.sin(2 * np.pi * 2.3 * np.arange(n) / RATE_HZ))
    return np.asarray(0.05 * smooth * rhythm, np.float32)


@pytest.mark.parametrize(("transport", "rate_hz"), CASES)
def test_a_codec_changes_the_sound_a_little_and_its_place_not_at_all(
    transport: Transport, rate_hz: int
) -> None:
    x = speechlike()
    y = transcode(x, transport, rate_hz=rate_hz)
    assert y.dtype == np.float32
    assert y.shape == x.shape
    assert not np.array_equal(x, y)
    match = correlate(y.astype(np.float64), x.astype(np.float64), "full", "fft")
    assert int(np.argmax(match)) == len(x) - 1
    assert np.corrcoef(x, y)[0, 1] > (0.8 if transport == "gsm" else 0.95)
    assert np.mean(y**2) == pytest.approx(np.mean(x**2), rel=0.35)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_loud_sound_comes_back_unclipped(transport: Transport) -> None:
    x = 12 * speechlike()
    assert np.abs(x).max() > 1.2
    assert np.abs(transcode(x, transport)).max() > 1.05


def test_alignment_takes_back_delays_both_ways() -> None:
    x = speechlike()
    for delay in (-700, -1, 0, 1, 1_105):
        late = np.roll(np.pad(x, 2_000), delay)[2_000:] if delay < 0 else np.pad(x, (delay, 0))
        back = aligned(late, x)
        np.testing.assert_allclose(back[800:-2_400], x[800:-2_400], atol=1e-7)


def test_silence_stays_silence() -> None:
    np.testing.assert_array_equal(transcode(np.zeros(8_000, np.float32), "opus"), np.zeros(8_000))
