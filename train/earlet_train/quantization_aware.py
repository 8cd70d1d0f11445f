"""Fine-tunes a finished detector for int8: a few short epochs with rounding in the forward pass."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earlet.errors import UsageError
from earlet.windows import Waveform, fit
from earlet_train.fake_int8 import FakeInt8
from earlet_train.network import Network
from earlet_train.recipe import Recipe

# Weights that are finished need small steps: a tenth of the recipe's rate, falling to nothing.
EPOCHS, SHARE_OF_RATE = 3, 0.1
# Recordings that set the ranges before each epoch, each at three levels of loudness.
RANGE_CLIPS = 48
_BATCH = 8


def fine_tuning(recipe: Recipe, *, weights: Path | None) -> Recipe:
    """The recipe, set to train the finished detector `weights` on with int8 in mind. UsageError."""
    if weights is None:
        raise UsageError(
            "--quantization-aware trains a finished detector on, and there is none. Name its run "
            "folder with --weights."
        )
    training = dataclasses.replace(
        recipe.training,
        fake_int8=True,
        epochs=EPOCHS,
        learning_rate=SHARE_OF_RATE * recipe.training.learning_rate,
        minimum_learning_rate=0.0,
        schedule="cosine",
        warmup_epochs=0.0,
        averaging=0.0,
        patience=0,
    )
    return dataclasses.replace(recipe, training=training)


class Rounding:
    """What a trainer needs for it: the network under training and its judged copy round alike."""

    def __init__(self, network: Network, judged: Network, recipe: Recipe) -> None:
        device = next(network.parameters()).device
        with torch.no_grad():
            example = network.eval().features(
                torch.zeros(1, recipe.data.window_samples, device=device)
            )
        network.train()
        exclude = recipe.export.exclude
        self.network, self.recipe, self.device = network, recipe, device
        self.trained = FakeInt8(network.model, example, exclude=exclude)
        self.judged = FakeInt8(judged.model, example, exclude=exclude, spans=self.trained.spans)
        self.trained.mode = self.judged.mode = "round"

    def begin(self, count: int, waveform: Callable[[int], Waveform], *, epoch: int) -> None:
        """Learn the ranges of an epoch from `count` recordings, and freeze the norms.

        They follow from the weights, the seed and the epoch alone, so that a run that was cut off
        goes on as if it had not been.
        """
        rng = np.random.default_rng([self.recipe.seed, epoch, count])
        chosen = rng.choice(count, min(count, RANGE_CLIPS), replace=False)
        windows = [fit(waveform(int(i)), self.recipe.data.window) for i in chosen]
        # An adapter may draw at random, or count, while it is trained.
        self.network.eval()
        self.trained.learn(lambda: self._hear(windows))
        self.network.train()
        self.trained.freeze_norms()

    def _hear(self, windows: list[NDArray[np.float32]]) -> None:
        """The windows as they are, quieter, and in turn very quiet or at full scale."""
        rows = [
            window * np.float32(gain)
            for i, window in enumerate(windows)
            for gain in (1.0, 0.1, 0.01 if i % 2 else 1 / max(float(np.abs(window).max()), 1e-6))
        ]
        for start in range(0, len(rows), _BATCH):
            batch: Tensor = torch.from_numpy(np.stack(rows[start : start + _BATCH]))
            self.network.model(self.network.features(batch.to(self.device)))
