"""LFCC against the lines of the two baselines, and what each of them promises."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torchaudio
from numpy.typing import NDArray
from oracles.lfcc import oracle
from torch import Tensor, nn

from earlet_export.run import Runner
from earlet_export.trace import frontend_graph
from earlet_train.frontends.lfcc import Lfcc, LfccSettings
from earlet_train.lfcc import lfcc

RATE_HZ = 16_000
RECENT, OLD = LfccSettings(), LfccSettings(definition="2019")


def noise(samples: int = 16_000, level: float = 0.1) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    return rng.standard_normal(samples).astype(np.float32) * np.float32(level)


def features(waveform: NDArray[np.float32], settings: LfccSettings) -> NDArray[np.float32]:
    values = Lfcc(settings, sample_rate_hz=RATE_HZ)(torch.from_numpy(waveform)[None])[0, 0]
    array: NDArray[np.float32] = values.numpy()
    return array


@pytest.mark.parametrize(
    "settings",
    [
        RECENT,
        OLD,
        replace(RECENT, centre="causal", slope_edges="valid"),
        replace(RECENT, high_hz=8000.0, filters=30, coefficients=13, slopes=1, centre="none"),
        replace(OLD, centre="reflect", floor=1e-6, slopes=0),
    ],
)
def test_lfcc_is_what_the_baselines_compute(settings: LfccSettings) -> None:
    ramp = noise() * np.linspace(0, 1, 16_000, dtype=np.float32) ** 4
    for waveform in (noise(), ramp, np.zeros(16_000, np.float32), np.sign(noise())):
        expected = oracle(waveform.astype(np.float64), settings, RATE_HZ)[0]
        np.testing.assert_allclose(features(waveform, settings), expected, atol=1e-4)


def test_four_seconds_give_the_published_size() -> None:
    assert features(noise(64_000), RECENT).shape == (60, 401)
    assert features(noise(64_000), OLD).shape == (60, 399)


def test_what_lies_above_a_quarter_of_the_rate_is_not_heard_in_2021() -> None:
    t = np.arange(16_000) / RATE_HZ
    low = noise()
    high = (0.05 * np.sin(2 * np.pi * 6000 * t)).astype(np.float32)
    # Away from the edges: where the sine begins and ends it is heard everywhere.
    inner = slice(4, -4)
    for settings, heard in ((RECENT, False), (OLD, True)):
        moved = np.abs(features(low + high, settings) - features(low, settings))[:20, inner]
        assert (moved.max() > 0.2) == heard


def test_the_first_coefficient_of_2021_is_the_log_energy_per_sample() -> None:
    # White noise of variance v puts v * sum(window^2) of power into each of the 256 bins kept.
    white = noise(160_000)
    first = features(white, replace(RECENT, slopes=0))[0, 4:-4]
    spectrum = np.abs(1 - 0.97 * np.exp(-2j * np.pi * np.arange(256) / 1024)) ** 2
    expected = white.var() * (np.hamming(321)[:-1] ** 2).sum() * spectrum.sum() / 1024
    assert np.log10((10.0**first).mean()) == pytest.approx(np.log10(expected), abs=0.02)


@pytest.mark.parametrize("settings", [RECENT, OLD])
def test_a_clip_has_the_same_bits_alone_and_among_many(settings: LfccSettings) -> None:
    """In ONNX Runtime too: else many streams at once would not say what each of them says alone."""
    frontend = Lfcc(replace(settings, centre="none"), sample_rate_hz=RATE_HZ).eval()
    run = Runner.of(frontend_graph(Alone(frontend), samples=4000, kept="compact"))
    clips = noise(9 * 4000).reshape(9, 4000)
    for clip, beside in zip(clips, run(clips), strict=True):
        np.testing.assert_array_equal(run(clip[None])[0], beside)


class Alone(nn.Module):
    """A frontend with no model behind it, as the exporter takes networks."""

    def __init__(self, frontend: nn.Module) -> None:
        super().__init__()
        self.frontend, self.model = frontend, nn.Identity()

    def features(self, waveform: Tensor) -> Tensor:
        features: Tensor = self.frontend(waveform)
        return features


def test_the_level_moves_only_the_first_coefficient() -> None:
    for settings in (RECENT, OLD):
        quiet, loud = (features(noise() * gain, settings)[:20] for gain in (1, 10))
        # +20 dB: on the energy itself, or on each of 20 filters through an orthonormal DCT.
        rise = 2.0 if settings is RECENT else 2 * np.sqrt(20)
        np.testing.assert_allclose(loud[0] - quiet[0], rise, atol=1e-3)
        np.testing.assert_allclose(loud[1:], quiet[1:], atol=1e-3)


def test_a_tone_is_strongest_in_its_own_filter() -> None:
    frontend = Lfcc(replace(OLD, slopes=0), sample_rate_hz=RATE_HZ)
    tone = np.sin(2 * np.pi * 2000 / RATE_HZ * np.arange(16_000)).astype(np.float32)
    energy = frontend.cosines.T @ frontend(torch.from_numpy(tone)[None])[0, 0]
    # Centres lie 8000 / 21 Hz apart, the first at one such step.
    assert (energy.argmax(dim=0) == round(2000 / (8000 / 21)) - 1).all()


def test_static_coefficients_follow_torchaudio() -> None:
    """torchaudio's own LFCC on the pre-emphasised signal, its frames as those of 2019."""
    waveform = noise(8000)
    emphasised = np.append(waveform[:1], waveform[1:] - np.float32(0.97) * waveform[:-1])
    transform = torchaudio.transforms.LFCC(
        sample_rate=RATE_HZ,
        n_filter=20,
        n_lfcc=20,
        log_lf=True,
        speckwargs={
            "n_fft": 512,
            "win_length": 320,
            "hop_length": 160,
            "center": False,
            "window_fn": lambda n: torch.hamming_window(n, periodic=False),
        },
    )
    # It centres the short window in 512 samples: frame i begins (512 - 320) / 2 = 96 later.
    theirs = transform(torch.from_numpy(np.pad(emphasised, (96, 96)))).numpy()
    # Natural log against base 10.
    ours = features(waveform, replace(OLD, slopes=0)) * np.log(10)
    # It adds 1e-6 under the log.
    np.testing.assert_allclose(ours, theirs[:, : ours.shape[1]], rtol=1e-3, atol=1e-2)


def test_valid_slopes_are_the_repeated_ones_without_the_edges() -> None:
    repeated, valid = (
        features(noise(), replace(RECENT, slope_edges=edges)) for edges in ("repeat", "valid")
    )
    np.testing.assert_allclose(valid, repeated[:, 2:-2], atol=1e-5)


def test_it_streams_when_nothing_waits_for_the_end() -> None:
    def reason(settings: LfccSettings) -> str:
        return Lfcc(settings, sample_rate_hz=RATE_HZ).why_not_streaming()

    assert "centre = 'zero'" in reason(RECENT)
    assert "slope_edges = 'repeat'" in reason(replace(RECENT, centre="none"))
    assert reason(replace(RECENT, centre="causal", slope_edges="valid")).startswith("centre")
    dropped = replace(RECENT, centre="none", slope_edges="valid", first_sample="dropped")
    assert reason(dropped) == ""
    assert "first sample" in reason(replace(dropped, first_sample="kept"))
    assert reason(replace(OLD, slopes=0, first_sample="dropped")) == ""


def test_one_recording_as_rows_for_the_mixtures() -> None:
    assert lfcc(noise(), sample_rate_hz=RATE_HZ).shape == (99, 60)
    assert lfcc(noise(100), sample_rate_hz=RATE_HZ).shape == (0, 60)
    # A single frame: every slope is zero.
    assert not lfcc(noise(320), sample_rate_hz=RATE_HZ)[:, 20:].any()
    np.testing.assert_array_equal(lfcc(noise(), sample_rate_hz=RATE_HZ), features(noise(), OLD).T)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="must not exceed filters = 20, found 21"):
        LfccSettings(coefficients=21)
    with pytest.raises(ValueError, match="do not fit a rate of 16000 Hz"):
        Lfcc(LfccSettings(high_hz=9000.0), sample_rate_hz=RATE_HZ)
    with pytest.raises(ValueError, match="fall between two bins of n_fft 512"):
        Lfcc(replace(OLD, filters=600), sample_rate_hz=RATE_HZ)
