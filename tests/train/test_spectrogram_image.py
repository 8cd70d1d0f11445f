"""The spectrogram as a picture: against its definition, in ONNX Runtime, and as one sees it."""

import numpy as np
import pytest
import torch
from oracles.spectrogram_image import oracle
from torch import nn

from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.spectrogram_image import SpectrogramImage, SpectrogramImageSettings

RATE_HZ = 16_000


def image(settings: SpectrogramImageSettings | None = None) -> SpectrogramImage:
    return SpectrogramImage(settings or SpectrogramImageSettings(), sample_rate_hz=RATE_HZ).eval()


def noise(batch: int = 1, samples: int = 16_000) -> torch.Tensor:
    rng = np.random.default_rng(2)
    return torch.from_numpy(rng.standard_normal((batch, samples)).astype(np.float32) * 0.1)


def tone(hertz: float, samples: int = 16_000) -> torch.Tensor:
    time_s = torch.arange(samples, dtype=torch.float64) / RATE_HZ
    return (0.5 * torch.sin(2 * torch.pi * hertz * time_s)).float()[None]


VARIANTS = [
    SpectrogramImageSettings(),
    SpectrogramImageSettings(channels=3),
    SpectrogramImageSettings(range_db=0.0, size=64),
    SpectrogramImageSettings(n_fft=512, hop_samples=77, size=100),
]


# 4,001 samples give 21 frames, fewer than columns; 64,000 give 321, more.
@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("samples", [4_001, 64_000])
def test_the_picture_is_the_definitions(settings: SpectrogramImageSettings, samples: int) -> None:
    waveform = noise(samples=samples)
    expected = oracle(waveform[0].double().numpy(), settings, RATE_HZ)
    picture = image(settings)(waveform)[0]
    assert picture.shape == (settings.channels, settings.size, settings.size)
    np.testing.assert_allclose(picture.numpy(), expected, atol=2e-4)


def test_onnx_runtime_resizes_as_torch_does() -> None:
    frontend = image(SpectrogramImageSettings(channels=3))
    run = Runner.of(trace(Alone(frontend).eval(), window_samples=16_000).frontend)
    waveform = torch.cat([noise(), torch.zeros(1, 16_000), tone(700)])
    for batch in (1, 3):
        answered = run(waveform[:batch].numpy())
        np.testing.assert_allclose(answered, frontend(waveform[:batch]).numpy(), atol=5e-4)


def test_low_tones_are_at_the_bottom_and_high_ones_at_the_top() -> None:
    for hertz in (500, 4_000, 7_500):
        row = int(image()(tone(hertz))[0, 0].mean(dim=1).argmax())
        assert abs(row - 224 * (1 - hertz / 8_000)) < 2


def test_time_runs_to_the_right() -> None:
    burst = noise() * 1e-4
    burst[:, 12_000:12_400] = noise(samples=400)
    column = int(image()(burst)[0, 0].mean(dim=0).argmax())
    assert abs(column - 224 * 12_200 / 16_000) < 3


def test_the_picture_does_not_depend_on_the_level() -> None:
    torch.testing.assert_close(image()(noise()), image()(noise() / 16), rtol=0, atol=1e-4)


def test_each_clip_is_stretched_by_its_own_values() -> None:
    both = image()(torch.cat([noise(), tone(1_000) / 100]))
    torch.testing.assert_close(both[1:], image()(tone(1_000) / 100), rtol=0, atol=1e-5)


def test_values_far_below_the_loudest_are_black() -> None:
    settings = SpectrogramImageSettings(range_db=40.0)
    late = torch.cat([torch.zeros(1, 8_000), tone(1_000, 8_000)], dim=1)
    assert image(settings)(late)[0, 0, :, :100].max() == 0
    assert image(settings)(late)[0, 0, :, 120:].max() > 0.9


def test_silence_is_an_even_picture() -> None:
    assert image()(torch.zeros(1, 16_000)).unique().tolist() == [0.0]
    three = image(SpectrogramImageSettings(channels=3))(torch.zeros(1, 16_000))
    expected = torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    torch.testing.assert_close(three[0].amax(dim=(1, 2)), expected)
    torch.testing.assert_close(three[0].amin(dim=(1, 2)), expected)


def test_a_window_shorter_than_its_mirror_is_refused() -> None:
    with pytest.raises(ValueError, match="found windows of 200 samples, expected more than"):
        image()(noise(samples=200))


def test_a_picture_of_one_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 rows"):
        SpectrogramImageSettings(size=1)


class Alone(nn.Module):
    """The frontend as a network, to be traced."""

    def __init__(self, frontend: Frontend) -> None:
        super().__init__()
        self.frontend, self.model = frontend, nn.Flatten()

    def features(self, waveform: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.frontend(waveform)
        return features
