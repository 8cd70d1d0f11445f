from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from earlet.errors import RecipeError
from earlet_train.adapters import ADAPTERS
from earlet_train.adapters.adapter import Adapter
from earlet_train.models import MODELS
from earlet_train.models.narrow_cnn import NarrowCnn, NarrowCnnSettings
from earlet_train.network import build_network, numpy_logits
from earlet_train.recipe import load_recipe, parse_recipe, shipped_recipes


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_forward_is_the_model_on_the_seam(name: str) -> None:
    recipe = load_recipe(name)
    torch.manual_seed(0)
    network = build_network(recipe).eval()
    waveforms = torch.randn(2, recipe.data.window_samples) * 0.05
    with torch.no_grad():
        features, logits = network.features(waveforms), network(waveforms)
        assert features.ndim == 4
        assert torch.equal(logits, network.model(features))
    assert logits.shape == (2, len(recipe.labels))


def test_numpy_in_numpy_out_is_the_same_network(recipe_text: str) -> None:
    network = build_network(parse_recipe(recipe_text, source="mine.toml"))
    windows = np.random.default_rng(0).standard_normal((3, 12_000)).astype(np.float32) * 0.1
    logits = numpy_logits(network)(windows)
    assert logits.dtype == np.float32
    assert not network.training
    expected = network(torch.from_numpy(windows)).detach().numpy()
    np.testing.assert_array_equal(logits, expected)


def test_the_same_seed_gives_the_same_network(recipe_text: str) -> None:
    recipe = parse_recipe(recipe_text, source="mine.toml")
    made = []
    for _ in range(2):
        torch.manual_seed(1)
        made.append(build_network(recipe).state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])


class Fixed(NarrowCnn):
    """One that forgot to check its shape: it reads 40 frames and no other number."""

    def embedding(self, features: Tensor) -> Tensor:
        return super().embedding(features.reshape(-1, 1, 32, 40))


class Narrowing(Adapter):
    """Keeps every third bin, of as many as it likes."""

    Settings = NarrowCnnSettings

    def __init__(self, settings: Any, *, shape: tuple[int, int, int]) -> None:
        super().__init__(settings, shape=shape)
        if shape[1] % 3:
            raise ValueError(f"found {shape[1]} bins, expected a multiple of 3: change bands")

    def forward(self, features: Tensor) -> Tensor:
        return features[:, :, ::3]

    def why_not_streaming(self) -> str:
        return ""


@pytest.fixture
def strangers() -> Iterator[None]:
    MODELS["fixed"], ADAPTERS["narrowing"] = Fixed, Narrowing
    yield
    del MODELS["fixed"], ADAPTERS["narrowing"]


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        (
            "window_samples = 12000",
            "window_samples = 200",
            r"mine.toml: \[frontend\] of kind 'bands' does not fit windows of 200 samples: ",
        ),
        (
            'kind = "narrow-cnn"',
            'kind = "fixed"',
            r"mine.toml: \[model\] of kind 'fixed' does not fit windows of 12000 samples and "
            r"features \[C, F, N\] = \[1, 32, 7\d\]: ",
        ),
        (
            "[model]",
            '[adapter]\nkind = "narrowing"\n[model]',
            r"mine.toml: \[adapter\] of kind 'narrowing' .*found 32 bins, expected a multiple of 3",
        ),
        (
            "epochs = 3",
            'epochs = 3\nloss = "a-softmax"',
            r"mine.toml: \[training\] loss 'a-softmax' .* \[model\] of kind 'narrow-cnn' .*angular",
        ),
    ],
)
def test_parts_that_do_not_fit_are_told_with_file_and_table(
    recipe_text: str, found: str, instead: str, said: str
) -> None:
    text = recipe_text.replace("min_samples = 4000", "min_samples = 1").replace(found, instead, 1)
    with pytest.raises(RecipeError, match=said):
        build_network(parse_recipe(text, source="mine.toml"))


def test_trying_the_parts_on_costs_no_random_numbers(recipe_text: str) -> None:
    recipe = parse_recipe(recipe_text, source="mine.toml")
    torch.manual_seed(5)
    network = build_network(recipe)
    after = torch.rand(1)
    torch.manual_seed(5)
    MODELS["narrow-cnn"](recipe.model.settings, shape=(1, 32, 76), classes=2)
    assert torch.equal(torch.rand(1), after)
    assert all(module.training for module in network.modules() if isinstance(module, nn.Conv2d))
