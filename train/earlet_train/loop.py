"""The training loop: one epoch over the train split, one judgement of the dev split."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earlet.errors import RecipeError
from earlet.scoring import score_waveforms
from earlet_train.augmentations import AUGMENTATIONS
from earlet_train.dataset import Split, batches
from earlet_train.network import build_network, numpy_logits
from earlet_train.optimization import RunningMean, learning_rate, make_loss, make_optimizer
from earlet_train.recipe import Recipe


class Trainer:
    """A network under training, and all of its state: `state` after an epoch is all there is.

    What an epoch does follows from that state, the recipe's seed and the epoch's number alone.
    """

    def __init__(self, recipe: Recipe, *, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        training = recipe.training
        torch.manual_seed(recipe.seed)
        self.network = build_network(recipe).to(device)
        self.judged = build_network(recipe).to(device)
        if training.channels_last:
            self.network.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(training, self.network)
        self.loss = make_loss(training, classes=len(recipe.labels), device=device)
        decay = training.averaging
        self.mean = RunningMean(self.network, decay=decay) if decay else None
        self.augmentations = [
            AUGMENTATIONS[part.kind](part.settings, sample_rate_hz=recipe.data.sample_rate_hz)
            for part in recipe.augmentations
        ]

    def epoch(self, split: Split, *, epoch: int, on_step: Callable[[float], None]) -> float:
        """Train on every trial once; -> mean loss. `on_step` hears the loss of each batch."""
        training, seed = self.recipe.training, [self.recipe.seed, epoch]
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        rng = np.random.default_rng([*seed, len(split)])
        if training.reset_optimizer_each_epoch:
            self.optimizer = make_optimizer(training, self.network)
        self.network.train()
        losses: list[float] = []
        steps = -(-len(split) // training.batch_size)
        dealt = batches(split, self.recipe, self.augmentations, epoch=epoch)
        for step, (windows, labels) in enumerate(dealt):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(training, epoch=epoch + step / steps)
            loss = self.loss(self._logits(windows, rng), torch.from_numpy(labels).to(self.device))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if training.clip_gradient_norm:
                torch.nn.utils.clip_grad_norm_(
                    self.network.parameters(), training.clip_gradient_norm
                )
            self.optimizer.step()
            if self.mean is not None:
                self.mean.follow(self.network)
            losses.append(float(loss.detach()))
            if not np.isfinite(losses[-1]):
                raise RecipeError(
                    f"the loss became {losses[-1]} in epoch {epoch + 1}, step {step + 1}. Lower "
                    "[training] learning_rate, or set clip_gradient_norm."
                )
            on_step(losses[-1])
        self._refuse_broken_weights(epoch)
        return float(np.mean(losses))

    def _refuse_broken_weights(self, epoch: int) -> None:
        """NaN can sit in weights that no score depends on yet; better found now than at export."""
        for name, weight in self.network.state_dict().items():
            if not bool(torch.isfinite(weight).all()):
                raise RecipeError(
                    f"{name} is no longer finite after epoch {epoch + 1}. Set [training] precision "
                    "to float32, or lower learning_rate."
                )

    def judge(self, split: Split) -> NDArray[np.float64]:
        """Raw log-odds [R] of a split by the weights that would be kept, in float32."""
        self.judged.load_state_dict(self.weights)
        return score_waveforms(
            map(split.waveform, range(len(split))),
            numpy_logits(self.judged),
            policy=self.recipe.data.window,
            positive_index=self.recipe.positive_index,
        )

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights to keep: their running mean where the recipe asks for one."""
        return self.network.state_dict() if self.mean is None else self.mean.weights

    def state(self) -> dict[str, Any]:
        """Plain tensors and numbers, for `torch.save`."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "mean": None if self.mean is None else self.mean.weights,
            "mean_steps": 0 if self.mean is None else self.mean.steps,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become what `state` was taken of."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.mean is not None:
            self.mean.weights = {k: v.to(self.device) for k, v in state["mean"].items()}
            self.mean.steps = state["mean_steps"]

    def _logits(self, windows: NDArray[np.float32], rng: np.random.Generator) -> Tensor:
        """Windows [B, T] -> logits [B, K]; frontend in float32, model as the recipe says."""
        training = self.recipe.training
        features = self.network.features(torch.from_numpy(windows).to(self.device))
        for augmentation in self.augmentations:
            features = augmentation.features(features, rng)
        if training.channels_last:
            features = features.contiguous(memory_format=torch.channels_last)
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=training.precision == "bfloat16"
        ):
            logits: Tensor = self.network.model(features)
        return logits.float()
