"""What every adapter in the registry promises, whatever it does.

A kind that needs another picture than the usual one, or that has more than one form, gets its
examples in EXAMPLES. What only one adapter promises stands in that adapter's own test file.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from earlet.errors import RecipeError
from earlet_export.join import join
from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.adapters import ADAPTERS
from earlet_train.adapters.adapter import Adapter
from earlet_train.frontends.bands import Bands, BandsSettings
from earlet_train.network import build_network
from earlet_train.recipe import parse_recipe

RATE_HZ, WINDOW, FRAMES = 16_000, 12_000, 72


@dataclass(frozen=True, kw_only=True)
class Example:
    """A kind of adapter and the settings it is tried with."""

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)

    def build(self, bins: int = 64, frames: int = FRAMES) -> Adapter:
        torch.manual_seed(0)
        kind = ADAPTERS[self.kind]
        return kind(kind.Settings(**self.settings), shape=(1, bins, frames))


OTHER_FORMS = [
    Example(kind="diffres", settings={"maximum": "scatter", "delta": 0.75}),
    Example(kind="diffres", settings={"learnable_encoding": True, "delta": 0.0}),
    Example(kind="average-max-pool", settings={"delta": 0.0}),
    Example(kind="relevance", settings={"heads": 0}),
    Example(kind="relevance", settings={"heads": 3}),
    Example(kind="relevance", settings={"split": "even-odd", "skip": False}),
    Example(kind="relevance", settings={"form": "usc"}),
]
PUBLISHED = [Example(kind=kind) for kind in sorted(ADAPTERS)]
EXAMPLES = PUBLISHED + OTHER_FORMS
# An export takes seconds: the forms that become other operators.
EXPORTED = [*PUBLISHED, OTHER_FORMS[0], OTHER_FORMS[-1]]


def name(example: Example) -> str:
    return "-".join([example.kind, *map(str, example.settings.values())])


@pytest.fixture(params=EXAMPLES, ids=name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    example: Example = request.param
    return example.build().eval()


def log_bands(batch: int = 3, bins: int = 64, frames: int = FRAMES) -> Tensor:
    """Something like log-mel: between -20 and 0, neighbours alike, each clip at its own level."""
    generator = torch.Generator().manual_seed(batch)
    noise = torch.randn(batch, 1, bins + 4, frames + 4, generator=generator)
    smooth = nn.functional.avg_pool2d(noise, 5, stride=1) * 12
    return (smooth - 9 - torch.arange(batch)[:, None, None, None]).clamp(-20, 0)


@pytest.mark.parametrize("batch", [1, 3])
def test_every_clip_gets_one_picture_of_the_same_size(adapter: Adapter, batch: int) -> None:
    made, usual = adapter(log_bands(batch)), adapter(log_bands(2))
    assert made.ndim == 4
    assert len(made) == batch
    assert made.shape[1:] == usual.shape[1:]


def test_the_same_features_give_the_same_picture(adapter: Adapter) -> None:
    assert torch.equal(adapter(log_bands()), adapter(log_bands()))


def test_a_neighbour_in_the_batch_changes_nothing(adapter: Adapter) -> None:
    clips = log_bands()
    beside = torch.cat([clips, torch.full_like(clips[:1], 15.0)])
    torch.testing.assert_close(adapter(beside)[:3], adapter(clips), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(adapter(clips)[1:2], adapter(clips[1:2]), rtol=1e-4, atol=1e-4)


def test_different_sounds_give_different_pictures(adapter: Adapter) -> None:
    first, second, _ = adapter(log_bands())
    assert float((first - second).detach().abs().max()) > 1e-3


def test_silence_full_scale_and_one_loud_frame_stay_finite(adapter: Adapter) -> None:
    silence = torch.full((1, 1, 64, FRAMES), -27.6)
    click = silence.clone()
    click[..., FRAMES // 2] = 20.0
    extremes = torch.cat([silence, torch.full_like(silence, 20.0), click, silence * 0 + 300])
    assert torch.isfinite(adapter(extremes)).all()
    adapter.train()
    features, penalty = adapter.with_penalty(extremes.requires_grad_())
    (features.square().sum() + penalty).backward()  # type: ignore[no-untyped-call]
    for name, parameter in adapter.named_parameters():
        assert parameter.grad is None or bool(torch.isfinite(parameter.grad).all()), name


def test_the_gradient_reaches_the_features_and_every_parameter(adapter: Adapter) -> None:
    features = log_bands().requires_grad_()
    weights = torch.randn(adapter(features).shape, generator=torch.Generator().manual_seed(4))
    (adapter.train()(features) * weights).sum().backward()
    assert features.grad is not None
    assert float(features.grad.abs().max()) > 0
    for name, parameter in adapter.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
    tallest = [float(p.grad.abs().max()) for p in adapter.parameters() if p.grad is not None]
    assert not tallest or tallest[0] > 0


def test_the_features_with_the_penalty_are_those_without(adapter: Adapter) -> None:
    features, penalty = adapter.with_penalty(log_bands())
    torch.testing.assert_close(features, adapter(log_bands()), rtol=1e-5, atol=1e-5)
    assert penalty.shape == ()
    assert float(penalty.detach()) >= 0


def test_it_says_why_it_cannot_stream_and_what_to_do(adapter: Adapter) -> None:
    assert "[adapter]" in adapter.why_not_streaming()


class Flat(nn.Module):
    """Bands that are natural logs of power, the adapter, and a layer that reads what it makes."""

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        settings = BandsSettings(bands=64, centre_ln=0.0, spread_ln=1.0)
        self.frontend, self.adapter = Bands(settings, sample_rate_hz=RATE_HZ), adapter
        inputs = adapter(log_bands(1)).numel()
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 2))

    def features(self, waveform: Tensor) -> Tensor:
        made: Tensor = self.adapter(self.frontend(waveform))
        return made


@pytest.mark.parametrize("example", EXPORTED, ids=name)
def test_the_exported_network_says_the_same_for_one_and_for_three(example: Example) -> None:
    network = Flat(example.build()).eval()
    traced = trace(network, window_samples=WINDOW)
    run, frontend = Runner.of(join(traced.frontend, traced.model)), Runner.of(traced.frontend)
    generator = torch.Generator().manual_seed(8)
    waveform = torch.randn(3, WINDOW, generator=generator) * torch.tensor([[0.3], [0.01], [0.0]])
    waveform[1, 4000:] = 0
    with torch.no_grad():
        features = network.features(waveform)
        logits = network.model(features)
    for batch in (1, 3):
        # Slivers of a frame in a slot of silence: see `earlet_train.adapters.warp`.
        seen = torch.from_numpy(frontend(waveform[:batch].numpy()))
        torch.testing.assert_close(seen, features[:batch], rtol=0, atol=1e-3)
        answer = torch.from_numpy(run(waveform[:batch].numpy()))
        torch.testing.assert_close(answer, logits[:batch], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('kind = "diffres"', "defined for .* bins, found 32: set the number of bands"),
        ('kind = "diffres"\ndelta = 1.0', "delta is the share .* found 1"),
        ('kind = "change-hop"\ndelta = 0.99', "leaves none of 72 frames: lower it"),
        ('kind = "average-pool"\ndelta = 1.5', "'delta': found 1.5"),
        ('kind = "relevance"\nheads = 33', "found 32 bands for 33 heads"),
        ('kind = "relevance"\nheads = 3\nsplit = "even-odd"', "makes two heads, found heads = 3"),
        ('kind = "relevance"\nform = "asr"', "found 'asr'"),
        ('kind = "diffrez"', "did you mean 'diffres'"),
    ],
)
def test_an_impossible_table_is_refused_before_training(
    recipe_text: str, table: str, complaint: str
) -> None:
    text = recipe_text.replace("[model]", f"[adapter]\n{table}\n[model]")
    with pytest.raises(RecipeError, match=complaint):
        build_network(parse_recipe(text, source="tiny.toml"))


@pytest.mark.parametrize("kind", ["diffres", "conv-average-pool", "relevance"])
def test_pictures_of_three_channels_are_refused_by_what_reads_one(kind: str) -> None:
    with pytest.raises(ValueError, match="found features of 3 channels, expected"):
        ADAPTERS[kind](ADAPTERS[kind].Settings(), shape=(3, 64, FRAMES))
