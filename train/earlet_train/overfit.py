"""Can a recipe's network learn a handful of clips by heart? If not, something in it is broken.

The oldest test of a network: whatever cannot bring 32 clips to zero error, with nothing in its way,
has a gradient that does not arrive, a loss that looks elsewhere, or labels that are shuffled.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from earlet_train.dataset import Split, batches
from earlet_train.distributed import Alone
from earlet_train.loop import Trainer
from earlet_train.network import numpy_logits
from earlet_train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Look:
    """After `steps` batches: the share of clips judged wrong, 0..1, and the training loss."""

    steps: int
    error_rate: float
    loss: float


def overfit(
    recipe: Recipe,
    split: Split,
    *,
    steps: int,
    device: torch.device,
    learning_rate: float | None = None,
    batch_size: int | None = None,
) -> tuple[Look, ...]:
    """Train on all of `split` for at most `steps` batches, until none is judged wrong twice over.

    The recipe's own network, loss, optimizer and class weights; but no augmentation, no dropout,
    no smoothing, no decay, always the first window, a constant learning rate (`learning_rate`
    instead of the recipe's) and batches of `batch_size`, where one is given. One look per pass
    over the split, judged in `eval` on the same windows: so batch norm's statistics must have
    arrived too.
    """
    recipe = hindered_by_nothing(recipe, learning_rate=learning_rate, batch_size=batch_size)
    trainer = Trainer(recipe, processes=Alone(device))
    for module in trainer.network.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
        elif isinstance(module, nn.RNNBase):
            module.dropout = 0.0
    dealt = list(batches(split, recipe, [], epoch=0))
    windows = np.concatenate([batch.windows for batch in dealt])
    labels = np.concatenate([batch.targets for batch in dealt]).argmax(axis=1)
    size = recipe.training.batch_size
    looks: list[Look] = []
    while not looks or looks[-1].steps + len(dealt) <= steps:
        loss = trainer.epoch(split, epoch=len(looks), on_step=lambda _: None)
        trainer.judged.load_state_dict(trainer.weights)
        answer = numpy_logits(trainer.judged)
        parts = [answer(windows[i : i + size]) for i in range(0, len(windows), size)]
        wrong = float(np.mean(np.concatenate(parts).argmax(axis=1) != labels))
        looks.append(Look(steps=len(dealt) * (len(looks) + 1), error_rate=wrong, loss=loss))
        if len(looks) > 1 and looks[-1].error_rate == looks[-2].error_rate == 0:
            break
    return tuple(looks)


def hindered_by_nothing(
    recipe: Recipe, *, learning_rate: float | None, batch_size: int | None
) -> Recipe:
    """The recipe without what is there to keep it from learning by heart."""
    training = dataclasses.replace(
        recipe.training,
        learning_rate=learning_rate or recipe.training.learning_rate,
        batch_size=batch_size or recipe.training.batch_size,
        minimum_learning_rate=0.0,
        schedule="constant",
        warmup_epochs=0.0,
        label_smoothing=0.0,
        weight_decay=0.0,
        averaging=0.0,
        balance="none",
        balance_to=0,
        balance_draw="epoch",
        reset_optimizer_each_epoch=False,
    )
    data = dataclasses.replace(recipe.data, crop="first")
    return dataclasses.replace(recipe, data=data, training=training, augmentations=())
