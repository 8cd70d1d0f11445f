"""The waveform as a picture: against its definition, in ONNX Runtime, and as one sees it."""

import numpy as np
import pytest
import torch
from oracles.waveform_image import oracle
from torch import nn

from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.frontends.frontend import Frontend
from earlet_train.frontends.waveform_image import WaveformImage, WaveformImageSettings

RATE_HZ = 16_000


def image(settings: WaveformImageSettings | None = None) -> WaveformImage:
    return WaveformImage(settings or WaveformImageSettings(), sample_rate_hz=RATE_HZ).eval()


def noise(batch: int = 1, samples: int = 16_000) -> torch.Tensor:
    rng = np.random.default_rng(2)
    return torch.from_numpy(rng.standard_normal((batch, samples)).astype(np.float32) * 0.1)


VARIANTS = [
    WaveformImageSettings(),
    WaveformImageSettings(channels=3, scale="full-scale"),
    WaveformImageSettings(edge="hard", size=100),
]


# One sample per column, one column with two, a multiple of 224, and a length with no such luck.
@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("samples", [224, 225, 22_400, 16_001])
def test_the_picture_is_the_definitions(settings: WaveformImageSettings, samples: int) -> None:
    waveform = noise(samples=samples)
    expected = oracle(waveform[0].double().numpy(), settings, RATE_HZ)
    picture = image(settings)(waveform)[0].numpy()
    assert picture.shape == (settings.channels, settings.size, settings.size)
    if settings.edge == "hard":  # An end within rounding of a pixel's border may fall either way.
        assert (picture != expected).mean() < 1e-4
    else:
        np.testing.assert_allclose(picture, expected, atol=2e-4)


@pytest.mark.parametrize(("settings", "samples"), [(VARIANTS[1], 8_960), (VARIANTS[2], 9_001)])
def test_onnx_runtime_draws_as_torch_does(settings: WaveformImageSettings, samples: int) -> None:
    frontend = image(settings)
    run = Runner.of(trace(Alone(frontend).eval(), window_samples=samples).frontend)
    waveform = torch.cat([noise(2, samples), torch.zeros(1, samples)])
    for batch in (1, 3):
        answered = run(waveform[:batch].numpy())
        np.testing.assert_allclose(answered, frontend(waveform[:batch]).numpy(), atol=1e-4)


@pytest.mark.parametrize("settings", [VARIANTS[0], VARIANTS[2]])
def test_every_column_holds_at_least_one_pixel_of_ink(settings: WaveformImageSettings) -> None:
    square = torch.sign(torch.sin(torch.arange(16_000) * 0.4))
    sounds = torch.stack([torch.zeros(16_000), noise()[0], square, square * 3, square / 32768])
    assert (image(settings)(sounds)[:, 0].sum(dim=1) > 1 - 1e-4).all()


def test_a_positive_half_wave_is_in_the_upper_half() -> None:
    picture = image()(noise().abs())[0, 0]
    assert picture[:112].sum() > 100 * 112
    assert picture[113:].sum() == 0


def test_time_runs_to_the_right() -> None:
    click = torch.zeros(1, 16_000)
    click[0, 4_000] = -0.5
    ink = image()(click)[0, 0].sum(dim=0)
    assert int(ink.argmax()) in (55, 56)


def test_a_jump_between_two_columns_is_drawn() -> None:
    step = torch.cat([torch.full((1, 11_200), -1.0), torch.ones(1, 11_200)], dim=1)
    picture = image()(step)[0, 0]
    assert float(picture[:, 111].sum()) == pytest.approx(224)
    assert float(picture[:, 112].sum()) == pytest.approx(1)


def test_at_its_peak_scale_the_picture_does_not_depend_on_the_level() -> None:
    torch.testing.assert_close(image()(noise()), image()(noise() / 16), rtol=0, atol=1e-4)
    full_scale = image(WaveformImageSettings(scale="full-scale"))
    assert full_scale(noise()).sum() > 8 * full_scale(noise() / 16).sum()


def test_silence_is_a_line_in_the_middle() -> None:
    picture = image(WaveformImageSettings(edge="hard"))(torch.zeros(1, 16_000))[0, 0]
    assert picture.sum(dim=0).tolist() == [1.0] * 224
    assert picture[112].tolist() == [1.0] * 224


def test_a_window_with_fewer_samples_than_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="found windows of 223 samples, expected at least"):
        image()(noise(samples=223))


def test_a_picture_of_one_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 rows"):
        WaveformImageSettings(size=1)


class Alone(nn.Module):
    """The frontend as a network, to be traced."""

    def __init__(self, frontend: Frontend) -> None:
        super().__init__()
        self.frontend, self.model = frontend, nn.Flatten()

    def features(self, waveform: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.frontend(waveform)
        return features
