from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from earlet.errors import RecipeError
from earlet_train.adapters.adapter import Adapter
from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.losses import make_loss
from earlet_train.network import Network, build_network
from earlet_train.recipe import Recipe, parse_recipe
from earlet_train.step import Step, make_augmentations

CPU = torch.device("cpu")
WINDOWS = torch.randn(6, 12_000, generator=torch.Generator().manual_seed(0)) * 0.1
TARGETS = torch.eye(2)[torch.arange(6) % 2]
COPIES = torch.tensor([False, True, False, False, True, False])


class Quieter(Adapter):
    """Halves what it gets; remembers it, and asks for its mean as a penalty."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.got = torch.empty(0)

    def forward(self, features: Tensor) -> Tensor:
        return features * 0.5

    def with_penalty(self, features: Tensor) -> tuple[Tensor, Tensor]:
        self.got = features.detach()
        return self(features), features.mean()

    def why_not_streaming(self) -> str:
        return ""


class Blank(Augmentation):
    """Sets features to 7; swaps the targets' neighbours if it mixes."""

    def __init__(self, *, copies: bool = False) -> None:
        super().__init__(None, sample_rate_hz=16_000)
        self.copies = copies

    @property
    def copies_only(self) -> bool:
        return self.copies

    def features(self, features: Tensor, rng: np.random.Generator) -> Tensor:
        return torch.full_like(features, 7.0)


class Halves(Augmentation):
    """Every clip half itself, half its neighbour."""

    def __init__(self) -> None:
        super().__init__(None, sample_rate_hz=16_000)

    def mix(
        self, features: Tensor, targets: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        return (features + features.roll(1, 0)) / 2, (targets + targets.roll(1, 0)) / 2


@pytest.fixture
def recipe(recipe_text: str) -> Recipe:
    return parse_recipe(recipe_text.split("[[augmentation]]")[0] + TRAINING, source="tiny.toml")


TRAINING = "[training]\nepochs = 1\n"


def step_of(recipe: Recipe, *augmentations: Augmentation, adapter: Any = None) -> Step:
    torch.manual_seed(0)
    built = build_network(recipe).eval()
    network = Network(frontend=built.frontend, adapter=adapter, model=built.model)
    loss = make_loss(recipe.training, classes=2, device=CPU)
    step = Step(network, loss, recipe)
    step.augmentations = list(augmentations)
    return step


def run(step: Step, *, targets: Tensor = TARGETS) -> tuple[Tensor, Tensor, Tensor]:
    task, penalty, mass = step(WINDOWS, targets, COPIES, np.random.default_rng(0), 0)
    return task.detach(), penalty.detach(), mass.detach()


def test_a_step_is_the_loss_of_the_network(recipe: Recipe) -> None:
    step = step_of(recipe)
    task, penalty, mass = run(step)
    logits = step.network(WINDOWS).detach()
    assert torch.equal(task, step.loss(logits, TARGETS, torch.empty(6, 0), 0))
    assert (float(penalty), float(mass)) == (0.0, 6.0)


def test_an_adapters_penalty_comes_along(recipe: Recipe) -> None:
    adapter = Quieter()
    step = step_of(recipe, adapter=adapter)
    _, penalty, _ = run(step)
    assert torch.equal(penalty, step.network.frontend(WINDOWS).mean())


@pytest.mark.parametrize("augment", ["model-input", "frontend-output"])
def test_a_recipe_says_whether_the_adapter_sees_what_was_blanked(
    recipe_text: str, augment: str
) -> None:
    text = recipe_text.split("[[augmentation]]")[0] + TRAINING + f'augment = "{augment}"\n'
    adapter = Quieter()
    step = step_of(parse_recipe(text, source="tiny.toml"), Blank(), adapter=adapter)
    run(step)
    assert bool((adapter.got == 7.0).all()) == (augment == "frontend-output")


def test_an_augmentation_for_copies_leaves_the_recordings_alone(recipe: Recipe) -> None:
    step = step_of(recipe)
    features = torch.randn(6, 1, 4, 5)
    step.augmentations = [Blank(copies=True)]
    changed, _ = step.augmented(features, TARGETS, COPIES, np.random.default_rng(0))
    assert bool((changed[COPIES] == 7.0).all())
    assert torch.equal(changed[~COPIES], features[~COPIES])
    untouched, _ = step.augmented(
        features, TARGETS, torch.zeros(6, dtype=torch.bool), np.random.default_rng(0)
    )
    assert torch.equal(untouched, features)


def test_mixed_targets_reach_the_loss(recipe: Recipe) -> None:
    mixed, plain = step_of(recipe, Halves()), step_of(recipe)
    task, _, mass = run(mixed)
    # Neighbours have different labels: all targets are half and half.
    assert float(mass) == 6.0
    features = plain.network.features(WINDOWS)
    logits = plain.network.model((features + features.roll(1, 0)) / 2).detach()
    expected = -torch.log_softmax(logits, dim=1).mean()
    torch.testing.assert_close(task, expected)


def test_an_augmentation_that_cannot_be_made_is_named_with_its_file(recipe_text: str) -> None:
    text = recipe_text + '\n[[augmentation]]\nkind = "telephone"\nhigh_hz = 7900.0\n'
    recipe = parse_recipe(text, source="mine.toml")
    with pytest.raises(RecipeError, match=r"mine\.toml: .* number 4 of kind 'telephone'"):
        make_augmentations(recipe)
