"""What every frontend in the registry promises, and what bands and spectrogram promise.

That its exported graph gives the same features is asked in tests/parity.

A frontend that needs another window or lighter settings for a test gets a line in EXAMPLES.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from earlet_train.frontends import FRONTENDS
from earlet_train.frontends.bands import Bands, BandsSettings
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.spectrogram import Spectrogram, SpectrogramSettings

RATE_HZ = 16_000


@dataclass(frozen=True, kw_only=True)
class Example:
    """The window and the settings that a kind of frontend is tried with."""

    window_samples: int = 16_000
    settings: dict[str, Any] = field(default_factory=dict)


EXAMPLES: dict[str, Example] = {
    "cqcc": Example(settings={"clip_samples": 16_000, "octaves": 6}),
}


@pytest.fixture(params=sorted(FRONTENDS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def frontend(kind: str) -> Frontend:
    settings = FRONTENDS[kind].Settings(**EXAMPLES.get(kind, Example()).settings)
    return FRONTENDS[kind](settings, sample_rate_hz=RATE_HZ).eval()


@pytest.fixture
def samples(kind: str) -> int:
    return EXAMPLES.get(kind, Example()).window_samples


def speechlike(batch: int = 3, samples: int = 16_000) -> torch.Tensor:
    rng = np.random.default_rng(5)
    return torch.from_numpy(rng.standard_normal((batch, samples)).astype(np.float32) * 0.05)


def test_features_have_four_axes_for_one_clip_and_for_three(
    frontend: Frontend, samples: int
) -> None:
    sound = speechlike(3, samples)
    one, three = frontend(sound[:1]), frontend(sound)
    assert one.ndim == 4
    assert len(one) == 1
    assert three.shape[1:] == one.shape[1:]
    torch.testing.assert_close(three[:1], one, rtol=1e-4, atol=1e-3)


def test_the_same_sound_gives_the_same_features(frontend: Frontend, samples: int) -> None:
    sound = speechlike(3, samples)
    assert torch.equal(frontend(sound), frontend(sound))


def test_silence_full_scale_and_one_bit_give_finite_features(
    frontend: Frontend, samples: int
) -> None:
    square = torch.sign(torch.sin(torch.arange(samples) * 0.4))
    extremes = torch.stack([torch.zeros(samples), square, square / 32768])
    assert torch.isfinite(frontend(extremes)).all()


def test_a_neighbour_in_the_batch_changes_nothing(frontend: Frontend, samples: int) -> None:
    quiet, loud = speechlike(1, samples) / 100, torch.ones(1, samples)
    beside = frontend(torch.cat([quiet, loud]))[:1]
    torch.testing.assert_close(beside, frontend(quiet), rtol=1e-4, atol=1e-3)


def built(kind: str, **settings: Any) -> Frontend:
    return FRONTENDS[kind](FRONTENDS[kind].Settings(**settings), sample_rate_hz=RATE_HZ).eval()


LOCAL = {"peak_normalise": False, "range_db": 0.0}
FITS_A_STREAM: list[tuple[str, dict[str, Any], bool]] = [
    ("bands", {}, True),
    ("lfcc", {}, False),
    ("lfcc", {"centre": "causal"}, False),
    ("lfcc", {"slope_edges": "valid"}, False),
    ("lfcc", {"centre": "causal", "slope_edges": "valid", "first_sample": "dropped"}, False),
    ("lfcc", {"centre": "none", "slope_edges": "valid"}, False),
    ("lfcc", {"centre": "none", "slope_edges": "valid", "first_sample": "dropped"}, True),
    ("lfcc", {"definition": "2019"}, False),
    ("lfcc", {"definition": "2019", "slopes": 0, "first_sample": "dropped"}, True),
    ("log-mel", {}, False),
    ("log-mel", {"centre": "zero"}, False),
    ("log-mel", {"centre": "none"}, True),
    ("log-mel", {"centre": "causal"}, False),
    ("log-mel", {"centre": "causal", "range_db": 20.0}, False),
    ("log-power", {"centre": "causal"}, False),
    ("log-power", {"frames": 0}, False),
    ("log-power", {"centre": "none", "frames": 0, "first_sample": "dropped"}, True),
    ("mfcc", {**LOCAL, "centre": "none"}, False),
    ("mfcc", {**LOCAL, "centre": "none", "slopes": 0}, True),
    ("mfcc", {**LOCAL, "centre": "none", "slope_edges": "valid"}, True),
    ("mfcc", {"centre": "none", "slopes": 0}, False),
    ("spectrogram", {**LOCAL}, False),
    ("spectrogram", {**LOCAL, "centre": "causal"}, False),
    ("spectrogram", {**LOCAL, "centre": "none"}, True),
    ("spectrogram", {**LOCAL, "centre": "none", "peak_normalise": True}, False),
]


@pytest.mark.parametrize(("kind", "settings", "fits"), FITS_A_STREAM)
def test_a_reason_against_streaming_is_given_just_where_frames_depend_on_the_clip_s_ends(
    kind: str, settings: dict[str, Any], fits: bool
) -> None:
    frontend = built(kind, **settings)
    # Louder at the end, so that a level taken of the whole clip shows.
    sound = speechlike(1, 32_000) * torch.linspace(0.01, 1, 32_000)
    # Frames of the clip's end begin where those of the whole do.
    hop = getattr(frontend.settings, "hop_samples", 160)
    early, late = frontend(sound[:, :16_000]), frontend(sound[:, 16_000 // hop * hop :])
    whole = frontend(sound)
    same = torch.allclose(early, whole[..., : early.shape[-1]], rtol=1e-4, atol=1e-3)
    same &= torch.allclose(late, whole[..., -late.shape[-1] :], rtol=1e-4, atol=1e-3)
    assert same == fits
    assert (frontend.why_not_streaming() == "") == fits


def test_a_louder_sound_never_gives_lower_bands() -> None:
    bands = Bands(BandsSettings(), sample_rate_hz=RATE_HZ)
    assert (bands(speechlike()) >= bands(speechlike() / 2)).all()


def test_a_tone_lights_its_own_band() -> None:
    bands = Bands(BandsSettings(), sample_rate_hz=RATE_HZ)
    tone = 0.5 * torch.sin(2 * torch.pi * 3000 / RATE_HZ * torch.arange(16_000))
    # 128 bands of 62.5 Hz each, the first beginning above the bin at 0 Hz.
    assert (bands(tone[None]).argmax(dim=2) == 3000 * 128 // 8000 - 1).all()


def test_a_full_scale_sine_on_a_bin_is_0_db_before_scaling() -> None:
    settings = BandsSettings(bands=256, centre_ln=0.0, spread_ln=1.0)
    tone = torch.sin(2 * torch.pi * 64 / 512 * torch.arange(16_000, dtype=torch.float64))
    peak = Bands(settings, sample_rate_hz=RATE_HZ)(tone.float()[None]).amax(dim=2)
    torch.testing.assert_close(peak, torch.zeros_like(peak), rtol=0, atol=1e-4)


def test_bands_that_do_not_divide_the_spectrum_are_refused() -> None:
    with pytest.raises(ValueError, match="must divide"):
        BandsSettings(bands=100)


def test_four_seconds_give_the_published_picture() -> None:
    spectrogram = Spectrogram(SpectrogramSettings(), sample_rate_hz=RATE_HZ)
    assert spectrogram(speechlike(2, 64_000)).shape == (2, 1, 1025, 126)


def test_the_spectrogram_does_not_depend_on_the_level() -> None:
    spectrogram = Spectrogram(SpectrogramSettings(), sample_rate_hz=RATE_HZ)
    torch.testing.assert_close(
        spectrogram(speechlike()), spectrogram(speechlike() / 8), rtol=1e-4, atol=1e-2
    )


def test_the_spectrogram_spans_at_most_its_range_in_each_clip() -> None:
    spectrogram = Spectrogram(SpectrogramSettings(range_db=80.0), sample_rate_hz=RATE_HZ)
    burst = torch.zeros(2, 16_000)
    burst[:, 8000:8100] = speechlike(1, 100)
    decibels = spectrogram(burst)
    span = decibels.amax(dim=(1, 2, 3)) - decibels.amin(dim=(1, 2, 3))
    torch.testing.assert_close(span, torch.full((2,), 80.0), rtol=0, atol=1e-3)


def test_the_spectrogram_is_ten_log10_of_the_power_of_the_normalised_clip() -> None:
    waveform = speechlike(1)
    spectrum = torch.stft(
        (waveform / waveform.abs().max()).double(),
        2048,
        512,
        window=torch.hann_window(2048, dtype=torch.float64),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    expected = 10 * torch.log10(spectrum.abs().square().clamp(min=1e-10))
    decibels = Spectrogram(SpectrogramSettings(), sample_rate_hz=RATE_HZ)(waveform)[:, 0]
    loud = expected > expected.max() - 60
    torch.testing.assert_close(decibels[loud], expected[loud].float(), rtol=0, atol=5e-3)
