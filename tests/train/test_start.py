from pathlib import Path

import pytest
import torch

from earlet.errors import BundleError, UsageError
from earlet_train.checkpoint import load_checkpoint
from earlet_train.models.resnet50 import ResNet50, ResNet50Settings
from earlet_train.network import Network, build_network
from earlet_train.progress import Silence
from earlet_train.recipe import Recipe, parse_recipe
from earlet_train.record import Run
from earlet_train.run import Options, train_run
from earlet_train.start import start_from


@pytest.fixture
def recipe(recipe_text: str) -> Recipe:
    return parse_recipe(recipe_text, source="tiny.toml")


def go(recipe: Recipe, corpus: Path, out: Path, **options: object) -> Run:
    chosen = Options(device="cpu", threads=1, epochs=1, **options)  # type: ignore[arg-type]
    return train_run(recipe, corpus=corpus, out=out, options=chosen, watcher=Silence())


def test_a_run_begins_where_another_ended(recipe: Recipe, corpus: Path, tmp_path: Path) -> None:
    first = go(recipe, corpus, tmp_path / "first")
    network = build_network(recipe)
    recorded = start_from(tmp_path / "first", network, recipe)
    checkpoint = load_checkpoint(tmp_path / "first")
    for name, value in network.state_dict().items():
        assert torch.equal(value, checkpoint.weights[name]), name
    assert recorded == f"best.safetensors sha256:{checkpoint.sha256}"
    second = go(recipe, corpus, tmp_path / "second", weights=tmp_path / "first")
    assert second.weights == recorded
    assert first.weights == ""
    assert second.history[0].train_loss < first.history[0].train_loss


def test_a_run_cannot_go_on_from_other_weights(
    recipe: Recipe, corpus: Path, tmp_path: Path
) -> None:
    go(recipe, corpus, tmp_path / "first")
    go(recipe, corpus, tmp_path / "second")
    with pytest.raises(UsageError, match="its weights is not the one given"):
        go(recipe, corpus, tmp_path / "second", weights=tmp_path / "first", resume=True)


def test_released_weights_fill_the_model_and_leave_the_last_layer(
    recipe: Recipe, tmp_path: Path
) -> None:
    """A file under torchvision's names, of a thousand classes, as ImageNet's are."""
    settings = ResNet50Settings(blocks=(1, 1, 1, 1), channels=16)
    torch.manual_seed(1)
    theirs = ResNet50(settings, shape=(3, 64, 64), classes=1000)
    released = {
        name.replace("output.", "fc."): value for name, value in theirs.state_dict().items()
    }
    torch.save(released, tmp_path / "imagenet.pth")
    torch.manual_seed(2)
    ours = ResNet50(settings, shape=(3, 64, 64), classes=2)
    network = Network(frontend=build_network(recipe).frontend, adapter=None, model=ours)
    recorded = start_from(tmp_path / "imagenet.pth", network, recipe)
    assert recorded.startswith("imagenet.pth sha256:")
    taken = ours.state_dict()
    for name, value in theirs.state_dict().items():
        if not name.startswith("output."):
            assert torch.equal(taken[name], value), name
    assert taken["output.weight"].shape[0] == 2


def test_weights_of_another_network_are_refused(
    recipe: Recipe, recipe_text: str, corpus: Path, tmp_path: Path
) -> None:
    go(recipe, corpus, tmp_path / "first")
    text = recipe_text.replace("channels = [16, 16, 16]", "channels = [16, 16, 32]")
    wider = parse_recipe(text, source="wider.toml")
    with pytest.raises(BundleError, match=r"recipe 'tiny' and do not fit wider\.toml"):
        start_from(tmp_path / "first", build_network(wider), wider)
