from pathlib import Path

import pytest
import torch

from earlet.errors import BundleError, RecipeError, UsageError
from earlet_train.adopt import adopt
from earlet_train.checkpoint import load_checkpoint
from earlet_train.network import build_network
from earlet_train.recipe import Recipe, parse_recipe

RECIPE = """
name = "small-spec-resnet"
version = "1"
description = "For tests"
[data]
window_samples = 12000
hop_samples = 6000
min_samples = 4000
[frontend]
kind = "spectrogram"
n_fft = 256
hop_samples = 256
[model]
kind = "spec-resnet"
channels = 8
blocks = 2
hidden = 8
[training]
epochs = 1
"""


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(RECIPE, source="tests")


@pytest.fixture
def released(tmp_path: Path, recipe: Recipe) -> Path:
    """Weights of the recipe's network, as the public code would have named and ordered them."""
    torch.manual_seed(4)
    model = build_network(recipe).model
    names = {"stem": "conv1", "norm": "bn", "hidden": "fc1", "output": "fc2"}
    for i in (0, 1):
        for ours, theirs in (
            ("before.0", "pre_bn"),
            ("main.0", "conv1"),
            ("main.1", "bn1"),
            ("main.4", "conv2"),
            ("skip", "conv11"),
        ):
            names[f"blocks.{i}.{ours}"] = f"block{i + 1}.{theirs}"
    stored = {}
    for name, value in model.state_dict().items():
        module, _, leaf = name.rpartition(".")
        stored[f"{names[module]}.{leaf}"] = value.flip(0) if module == "output" else value
    path = tmp_path / "released.pth"
    torch.save(stored, path)
    return path


def test_released_weights_become_a_checkpoint_with_a_threshold(
    corpus: Path, recipe: Recipe, released: Path, tmp_path: Path
) -> None:
    heard: list[None] = []
    origin = adopt(
        recipe,
        released,
        corpus=corpus,
        out=tmp_path / "run",
        on_progress=lambda: heard.append(None),
    )
    assert len(heard) == origin.dev_trials == 24
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint.origin == origin
    assert (origin.epoch, origin.train_trials) == (0, 0)
    assert origin.versions["released weights"].startswith("released.pth sha256 ")
    # At the equal error rate both kinds of error are equally frequent, to one recording in twelve.
    point = origin.operating_point
    assert abs(point.miss_rate - point.false_alarm_rate) <= 1 / 12 + 1e-9
    assert 0 <= origin.dev_eer <= 1
    torch.manual_seed(4)
    expected = build_network(recipe).eval()
    x = torch.randn(2, 12_000)
    torch.testing.assert_close(checkpoint.network()(x), expected(x))
    with pytest.raises(UsageError, match="already holds a checkpoint"):
        adopt(recipe, released, corpus=corpus, out=tmp_path / "run")


def test_weights_that_do_not_fit_leave_no_folder(
    corpus: Path, released: Path, tmp_path: Path
) -> None:
    wider = parse_recipe(RECIPE.replace("channels = 8", "channels = 16"), source="tests")
    with pytest.raises(BundleError, match=r"'conv1.weight' has the shape \[8, 1, 3, 3\]"):
        adopt(wider, released, corpus=corpus, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_without_a_trained_last_layer_cannot_judge(corpus: Path, tmp_path: Path) -> None:
    table = 'kind = "resnet50"\nblocks = [1, 1, 1, 1]\nchannels = 4\n'
    start, end = RECIPE.index('kind = "spec-resnet"'), RECIPE.index("[training]")
    recipe = parse_recipe(RECIPE[:start] + table + RECIPE[end:], source="tests")
    weights = build_network(recipe).model.state_dict()
    torch.save(
        {name.replace("output.", "fc."): value for name, value in weights.items()},
        tmp_path / "imagenet.pth",
    )
    with pytest.raises(RecipeError, match=r"output\.weight, output\.bias.*trained"):
        adopt(recipe, tmp_path / "imagenet.pth", corpus=corpus, out=tmp_path / "run")
