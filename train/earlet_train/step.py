"""One batch on its way through the network to its loss, augmented where the recipe says.

A module of its own because this is what runs in parallel: the engine for several processes wraps
it, and sees every weight that the loss depends on.
"""

import numpy as np
import torch
from torch import Tensor, nn

from earlet.errors import RecipeError
from earlet_train.augmentations import AUGMENTATIONS
from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.losses import Loss
from earlet_train.network import Network
from earlet_train.recipe import Recipe

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Step(nn.Module):
    """Windows [B, T], targets [B, K] -> loss, adapter's penalty, the batch's mass (see `Loss`)."""

    def __init__(self, network: Network, loss: Loss, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.loss, self.training_ = network, loss, recipe.training
        self.augmentations = make_augmentations(recipe)

    def forward(
        self,
        windows: Tensor,
        targets: Tensor,
        is_copy: Tensor,
        rng: np.random.Generator,
        step: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Frontend, adapter and loss in float32; the model as the recipe's `precision` says."""
        network, early = self.network, self.training_.augment == "frontend-output"
        features: Tensor = network.frontend(windows)
        if early:
            features, targets = self.augmented(features, targets, is_copy, rng)
        penalty = features.new_zeros(())
        if network.adapter is not None:
            features, penalty = network.adapter.with_penalty(features)
        if not early:
            features, targets = self.augmented(features, targets, is_copy, rng)
        if self.training_.channels_last:
            features = features.contiguous(memory_format=torch.channels_last)
        precision = DTYPES[self.training_.precision]
        with torch.autocast(
            features.device.type, dtype=precision, enabled=precision != torch.float32
        ):
            embedding = network.model.embedding(features)
            logits = network.model.output(embedding)
        task = self.loss(logits.float(), targets, embedding.float(), step)
        return task, penalty, self.loss.mass(targets)

    def augmented(
        self, features: Tensor, targets: Tensor, is_copy: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Features [B, C, F, N], targets [B, K] -> both, by each augmentation in turn."""
        for augmentation in self.augmentations:
            if not augmentation.copies_only:
                features = augmentation.features(features, rng)
            elif bool(is_copy.any()):
                changed = augmentation.features(features[is_copy], rng)
                features = features.index_put((is_copy,), changed)
            features, targets = augmentation.mix(features, targets, rng)
        return features, targets


def make_augmentations(recipe: Recipe) -> list[Augmentation]:
    """The recipe's augmentations, in its order. Raises RecipeError where one cannot be made."""
    made = []
    for number, part in enumerate(recipe.augmentations, start=1):
        try:
            kind = AUGMENTATIONS[part.kind]
            made.append(kind(part.settings, sample_rate_hz=recipe.data.sample_rate_hz))
        except ValueError as error:
            raise RecipeError(
                f"{recipe.source}: [[augmentation]] number {number} of kind {part.kind!r}: {error}."
            ) from error
    return made
