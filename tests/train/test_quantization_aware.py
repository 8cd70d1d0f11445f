"""A run that feels int8: begun from a finished one, killed, resumed. (Real int8: export tests.)"""

from pathlib import Path

import pytest
import torch

from earlet.errors import UsageError
from earlet_train.checkpoint import load_checkpoint
from earlet_train.progress import Silence
from earlet_train.quantization_aware import EPOCHS, fine_tuning
from earlet_train.recipe import Recipe, parse_recipe
from earlet_train.record import Epoch, Run
from earlet_train.run import Options, train_run

FILES = ("best.safetensors", "last.safetensors")


class Killer(Silence):
    """Pulls the plug at one batch."""

    def __init__(self, at: int) -> None:
        self.left = at

    def stepped(self, loss: float) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class Rows(Silence):
    """Keeps what every epoch came to."""

    def __init__(self) -> None:
        self.rows: list[Epoch] = []

    def ended(self, row: Epoch, *, is_best: bool) -> None:
        self.rows.append(row)


@pytest.fixture
def recipe(recipe_text: str) -> Recipe:
    return parse_recipe(recipe_text, source="tiny.toml")


@pytest.fixture
def finished(recipe: Recipe, corpus: Path, tmp_path: Path) -> Path:
    go(recipe, corpus, tmp_path / "finished")
    return tmp_path / "finished"


def go(
    recipe: Recipe,
    corpus: Path,
    out: Path,
    *,
    weights: Path | None = None,
    resume: bool = False,
    watcher: Silence | None = None,
) -> Run:
    options = Options(device="cpu", threads=1, weights=weights, resume=resume)
    return train_run(recipe, corpus=corpus, out=out, options=options, watcher=watcher or Silence())


def test_a_finished_run_is_trained_on_gently_and_stays_good(
    recipe: Recipe, corpus: Path, finished: Path, tmp_path: Path
) -> None:
    chosen = fine_tuning(recipe, weights=finished)
    assert chosen.training.learning_rate == pytest.approx(0.1 * recipe.training.learning_rate)
    watcher = Rows()
    run = go(chosen, corpus, tmp_path / "tuned", weights=finished, watcher=watcher)
    before, after = load_checkpoint(finished), load_checkpoint(tmp_path / "tuned")
    assert run.quantization_aware
    assert len(watcher.rows) == EPOCHS
    assert after.recipe == before.recipe, "the recipe rides along as it was written"
    assert after.weights.keys() == before.weights.keys()
    assert after.origin.dev_eer <= before.origin.dev_eer + 0.1
    for name, value in before.weights.items():
        if "running" in name:
            assert torch.equal(after.weights[name], value), "statistics of norms are frozen"
    moved = after.weights["model.body.0.weight"] - before.weights["model.body.0.weight"]
    assert 0 < float(moved.abs().max()) < 0.05


def test_a_killed_fine_tuning_goes_on_to_the_same_bytes(
    recipe: Recipe, corpus: Path, finished: Path, tmp_path: Path
) -> None:
    chosen = fine_tuning(recipe, weights=finished)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    go(chosen, corpus, whole, weights=finished)
    with pytest.raises(KeyboardInterrupt):
        go(chosen, corpus, broken, weights=finished, watcher=Killer(at=9))
    go(chosen, corpus, broken, weights=finished, resume=True)
    for name in FILES:
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_a_plain_run_cannot_go_on_with_rounding(
    recipe: Recipe, corpus: Path, finished: Path
) -> None:
    chosen = fine_tuning(recipe, weights=finished)
    with pytest.raises(UsageError, match="its quantization aware is not the one given"):
        go(chosen, corpus, finished, resume=True)


def test_fine_tuning_needs_something_finished(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="Name its run folder with --weights"):
        fine_tuning(recipe, weights=None)


def test_a_recipe_may_ask_for_rounding_itself(recipe_text: str) -> None:
    text = recipe_text.replace("epochs = 3", "epochs = 3\nfake_int8 = true")
    assert parse_recipe(text, source="tiny.toml").training.fake_int8
    assert not parse_recipe(recipe_text, source="tiny.toml").training.fake_int8
