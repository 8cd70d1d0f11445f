from pathlib import Path

import numpy as np
import pytest
import torch

from earlet.errors import UsageError
from earlet.manifest import Calibration, OperatingPoint
from earlet_train.checkpoint import Origin, load_checkpoint, save_checkpoint
from earlet_train.network import build_network
from earlet_train.original import load_original
from earlet_train.recipe import parse_recipe


@pytest.fixture
def run(tmp_path: Path, recipe_text: str) -> Path:
    recipe = parse_recipe(recipe_text, source="tiny.toml")
    origin = Origin(
        epoch=1,
        seed=3,
        corpus="tiny",
        corpus_sha256="0" * 64,
        train_trials=48,
        dev_trials=24,
        dev_eer=0.1,
        threshold=0.5,
        operating_point=OperatingPoint(name="x", data="y", miss_rate=0.1, false_alarm_rate=0.1),
        calibration=Calibration(scale=2.0, offset=1.0),
    )
    save_checkpoint(
        tmp_path / "best.safetensors",
        weights=build_network(recipe).state_dict(),
        recipe=recipe,
        origin=origin,
    )
    return tmp_path


def test_an_original_answers_in_numpy_as_its_network_does_in_torch(run: Path) -> None:
    original = load_original(run, threads=1)
    windows = np.random.default_rng(0).standard_normal((3, 12_000)).astype(np.float32) * 0.1
    logits = original.logits(windows)
    assert isinstance(logits, np.ndarray)
    assert logits.dtype == np.float32
    with torch.inference_mode():
        expected = load_checkpoint(run).network()(torch.from_numpy(windows)).numpy()
    np.testing.assert_array_equal(logits, expected)
    assert original.window.window_samples == 12_000
    assert original.labels[original.positive_index] == "spoof"
    assert (original.threshold, original.calibration.scale) == (0.5, 2.0)


def test_threads_are_what_was_asked_for(run: Path) -> None:
    load_original(run, threads=1)
    assert torch.get_num_threads() == 1
    with pytest.raises(UsageError, match="at least 1"):
        load_original(run, threads=0)
