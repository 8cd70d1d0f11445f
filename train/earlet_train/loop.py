"""The training loop: one epoch over the train split, one judgement of the dev split."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from earlet.errors import RecipeError, UsageError
from earlet_train.dataset import Split, batches, steps_per_epoch
from earlet_train.distributed import Alone
from earlet_train.judgement import Judgement, judge
from earlet_train.losses import make_loss
from earlet_train.network import build_network, numpy_logits
from earlet_train.optimization import RunningMean, make_optimizer, set_learning_rate
from earlet_train.quantization_aware import Rounding
from earlet_train.recipe import Recipe
from earlet_train.schedule import learning_rate
from earlet_train.start import start_from
from earlet_train.step import Step


class Trainer:
    """A network under training, and all of its state: `state` after an epoch is all there is.

    What an epoch does follows from that state, the recipe's seed, the epoch's number and the dev
    losses so far. Raises RecipeError where the recipe's parts do not fit each other.
    """

    def __init__(self, recipe: Recipe, *, processes: Alone) -> None:
        self.recipe, self.processes, self.device = recipe, processes, processes.device
        training = recipe.training
        if training.precision == "float16" and self.device.type != "cuda":
            raise UsageError(
                f"{recipe.source}: [training] precision is 'float16', which trains on a GPU only, "
                f"and this runs on {self.device}. Set 'bfloat16' or 'float32'."
            )
        torch.manual_seed(recipe.seed)
        self.network = build_network(recipe).to(self.device)
        self.judged = copy.deepcopy(self.network)
        if training.channels_last:
            # Judging too: an epoch of Spec-ResNet spent a third of its time there.
            for network in (self.network, self.judged):
                network.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(training, self.network)
        loss = make_loss(training, classes=len(recipe.labels), device=self.device)
        step = Step(self.network, loss, recipe)
        self.augmentations, self.step = step.augmentations, processes.wrap(step)
        # Half precision underflows: its gradients are scaled up until they no longer fit, then
        # down again. Does nothing in the other precisions.
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=training.precision == "float16"
        )
        decay = training.averaging
        self.mean = RunningMean(self.network, decay=decay) if decay else None
        self.rounding = Rounding(self.network, self.judged, recipe) if training.fake_int8 else None

    def start_from(self, weights: Path) -> str:
        """Begin with somebody's weights instead of fresh ones; -> what to record of them."""
        taken = start_from(weights, self.network, self.recipe)
        if self.mean is not None:
            self.mean = RunningMean(self.network, decay=self.mean.decay)
        return taken

    def epoch(
        self,
        split: Split,
        *,
        epoch: int,
        on_step: Callable[[float], None],
        dev_losses: Sequence[float] = (),
    ) -> float:
        """Train on all that the epoch deals; -> mean loss. `on_step` hears the loss of each batch.

        `epoch` counts from 0; `dev_losses` are those of the epochs before it.
        """
        training, processes = self.recipe.training, self.processes
        # The first process draws what one process alone would.
        seed = [self.recipe.seed, epoch]
        others = [processes.rank] if processes.rank else []
        torch.manual_seed(int(np.random.SeedSequence(seed + others).generate_state(1)[0]))
        rng = np.random.default_rng([*seed, len(split), *others])
        if training.reset_optimizer_each_epoch:
            self.optimizer = make_optimizer(training, self.network)
        self.step.train()
        if self.rounding is not None:
            self.rounding.begin(len(split), split.waveform, epoch=epoch)
        losses: list[float] = []
        steps = steps_per_epoch(split, self.recipe)
        dealt = batches(
            split,
            self.recipe,
            self.augmentations,
            epoch=epoch,
            rank=processes.rank,
            processes=processes.size,
        )
        for number, batch in enumerate(dealt):
            rate = learning_rate(
                training, epoch=epoch + number / steps, steps=steps, dev_losses=dev_losses
            )
            set_learning_rate(self.optimizer, rate)
            arrays = (batch.windows, batch.targets, batch.is_copy)
            tensors = (torch.from_numpy(array).to(self.device) for array in arrays)
            task, penalty, mass = self.step(*tensors, rng, epoch * steps + number)
            task_share, penalty_share = processes.shares(mass, batch.rows)
            loss = task * task_share + penalty * penalty_share
            self._descend(loss)
            losses.append(processes.total(loss))
            if not np.isfinite(losses[-1]):
                raise RecipeError(
                    f"the loss became {losses[-1]} in epoch {epoch + 1}, step {number + 1}. Lower "
                    "[training] learning_rate, or set clip_gradient_norm."
                )
            on_step(losses[-1])
        processes.average(self.network.state_dict().values())
        if self.mean is not None:
            processes.average(self.mean.weights.values())
        self._refuse_broken_weights(epoch)
        return float(np.mean(losses))

    def judge(self, split: Split) -> Judgement:
        """What the weights that would be kept say of a split, in float32."""
        self.judged.load_state_dict(self.weights)
        own = range(self.processes.rank, len(split), self.processes.size)
        found = judge(
            own,
            split.waveform,
            numpy_logits(self.judged),
            policy=self.recipe.data.window,
            positive_index=self.recipe.positive_index,
        )
        raw = self._gathered(found.raw, own, of=len(split))
        count = len(self.recipe.labels)
        if count == 2:
            return Judgement(raw=raw)
        # A process may have had no recording at all: its part of the sum is then nothing.
        classes = np.zeros((len(own), count)) if found.classes is None else found.classes
        columns = [self._gathered(column.copy(), own, of=len(split)) for column in classes.T]
        return Judgement(raw=raw, classes=np.stack(columns, axis=1))

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
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become what `state` was taken of."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.mean is not None:
            self.mean.weights = {k: v.to(self.device) for k, v in state["mean"].items()}
            self.mean.steps = state["mean_steps"]
        # States of runs begun before float16 was known have none.
        self.scaler.load_state_dict(state.get("scaler", {}))

    def _gathered(self, own: NDArray[np.float64], rows: range, *, of: int) -> NDArray[np.float64]:
        """Each process's values at its own rows -> those of all rows, in every process."""
        values = torch.zeros(of, dtype=torch.float64)
        values[rows.start :: rows.step] = torch.from_numpy(own)
        gathered: NDArray[np.float64] = self.processes.sum(values).cpu().numpy()
        return gathered

    def _descend(self, loss: Tensor) -> None:
        """One step of the optimizer, and of the running mean."""
        training = self.recipe.training
        self.optimizer.zero_grad(set_to_none=True)
        self.processes.backward(self.scaler.scale(loss))
        if training.clip_gradient_norm:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.clip_gradient_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.mean is not None:
            self.mean.follow(self.network)

    def _refuse_broken_weights(self, epoch: int) -> None:
        """NaN can sit in weights that no score depends on yet; better found now than at export."""
        for name, weight in self.network.state_dict().items():
            if not bool(torch.isfinite(weight).all()):
                raise RecipeError(
                    f"{name} is no longer finite after epoch {epoch + 1}. Set [training] precision "
                    "to float32, or lower learning_rate."
                )
