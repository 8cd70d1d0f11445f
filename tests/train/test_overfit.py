from pathlib import Path

import pytest
import torch

from earlet_train.dataset import Split, load_split
from earlet_train.overfit import overfit
from earlet_train.recipe import Recipe, parse_recipe

CPU = torch.device("cpu")


@pytest.fixture
def recipe(recipe_text: str) -> Recipe:
    return parse_recipe(recipe_text, source="tiny.toml")


def shuffled(split: Split) -> Split:
    """The same trials with recordings that belong to others: nothing to learn but by heart."""
    turned = [split.samples[(5 * i + 3) % len(split)] for i in range(len(split))]
    return Split(trials=split.trials, samples=turned)


def test_a_network_learns_any_labels_of_a_few_clips_by_heart(recipe: Recipe, corpus: Path) -> None:
    split = shuffled(load_split(corpus, "train", recipe=recipe, clips=16))
    looks = overfit(recipe, split, steps=400, device=CPU)
    assert looks[-1].error_rate == looks[-2].error_rate == 0
    assert looks[-1].loss < looks[0].loss
    assert [look.steps for look in looks[:2]] == [2, 4]


def test_one_that_cannot_learn_is_found_out(recipe: Recipe, corpus: Path) -> None:
    split = shuffled(load_split(corpus, "train", recipe=recipe, clips=16))
    looks = overfit(recipe, split, steps=20, device=CPU, learning_rate=1e-12)
    assert looks[-1].steps == 20
    assert looks[-1].error_rate >= 0.25


def test_smaller_batches_make_more_steps_of_a_pass(recipe: Recipe, corpus: Path) -> None:
    split = load_split(corpus, "train", recipe=recipe, clips=16)
    looks = overfit(recipe, split, steps=4, device=CPU, learning_rate=1e-12, batch_size=4)
    assert recipe.training.batch_size > 4
    assert [look.steps for look in looks] == [4]
