import hashlib
from pathlib import Path

import pytest
import torch

from earlet.errors import BundleError
from earlet.manifest import Calibration, OperatingPoint
from earlet_train.checkpoint import Origin, load_checkpoint, save_checkpoint
from earlet_train.network import build_network
from earlet_train.recipe import parse_recipe

ORIGIN = Origin(
    epoch=2,
    seed=3,
    corpus="tiny",
    corpus_sha256="0" * 64,
    train_trials=48,
    dev_trials=24,
    dev_eer=0.125,
    threshold=-0.25,
    operating_point=OperatingPoint(
        name="equal error rate", data="tiny, dev", miss_rate=0.1, false_alarm_rate=0.15
    ),
    calibration=Calibration(scale=2.0, offset=-1.0),
    versions={"torch": "x"},
)


@pytest.fixture
def file(tmp_path: Path, recipe_text: str) -> Path:
    recipe = parse_recipe(recipe_text, source="tiny.toml")
    torch.manual_seed(0)
    file = tmp_path / "best.safetensors"
    save_checkpoint(file, weights=build_network(recipe).state_dict(), recipe=recipe, origin=ORIGIN)
    return file


def test_what_is_saved_is_what_is_loaded(file: Path, recipe_text: str) -> None:
    checkpoint = load_checkpoint(file)
    assert checkpoint.recipe.text == recipe_text
    assert checkpoint.origin == ORIGIN
    assert checkpoint.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    torch.manual_seed(0)
    fresh = build_network(checkpoint.recipe).state_dict()
    network = checkpoint.network()
    assert not network.training
    assert all(torch.equal(value, fresh[name]) for name, value in network.state_dict().items())


def test_a_run_folder_means_its_best_epoch(file: Path) -> None:
    assert load_checkpoint(file.parent).path == file


def test_the_same_content_gives_the_same_bytes(file: Path) -> None:
    checkpoint, twin = load_checkpoint(file), file.with_name("twin.safetensors")
    save_checkpoint(
        twin, weights=checkpoint.weights, recipe=checkpoint.recipe, origin=checkpoint.origin
    )
    assert twin.read_bytes() == file.read_bytes()


def test_a_missing_checkpoint_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="earlet train"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"RIFF....WAVEfmt plain nonsense", None])
def test_a_damaged_checkpoint_is_refused(file: Path, damage: bytes | None) -> None:
    file.write_bytes(file.read_bytes()[:-100] if damage is None else damage)
    with pytest.raises(BundleError, match="damaged"):
        load_checkpoint(file)


def test_weights_of_another_network_are_refused(file: Path, recipe_text: str) -> None:
    wider = parse_recipe(recipe_text.replace("[16, 16, 16]", "[16, 32, 16]"), source="tiny.toml")
    weights = load_checkpoint(file).weights
    save_checkpoint(file, weights=weights, recipe=wider, origin=ORIGIN)
    with pytest.raises(BundleError, match="do not fit the network"):
        load_checkpoint(file).network()
