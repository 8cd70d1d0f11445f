import numpy as np
import pytest
import torch

from earlet_train.network import Network, build_network, numpy_logits
from earlet_train.recipe import load_recipe, parse_recipe, shipped_recipes


@pytest.fixture(params=sorted(shipped_recipes()))
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    return build_network(load_recipe(request.param)).eval()


def test_forward_is_the_model_on_the_seam(network: Network) -> None:
    waveforms = torch.randn(2, 64_000) * 0.05
    features = network.features(waveforms)
    assert features.ndim == 4
    assert torch.equal(network(waveforms), network.model(features))
    assert network(waveforms).shape == (2, 2)


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
