"""What moves the weights: the optimizer that a recipe names, and their running mean."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from earlet_train.network import Network
from earlet_train.training import Training


def make_optimizer(training: Training, network: nn.Module) -> torch.optim.Optimizer:
    """Weight decay falls on matrices and kernels only: norms and biases have no scale to decay.

    A group's `scale` says by how much its learning rate differs from that of the schedule.
    """
    apart = training.frontend_learning_rate
    if apart is None or not isinstance(network, Network):
        groups = decayed_and_not(training, network.parameters())
    else:
        own = {id(p) for p in network.frontend.parameters()}
        groups = decayed_and_not(training, (p for p in network.parameters() if id(p) not in own))
        for group in decayed_and_not(training, network.frontend.parameters()):
            groups.append(group | {"scale": apart / training.learning_rate})
    rate = training.learning_rate
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=training.momentum)
    kind = torch.optim.Adam if training.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=rate, betas=training.betas, eps=training.eps, amsgrad=training.amsgrad)


def decayed_and_not(training: Training, weights: Iterable[nn.Parameter]) -> list[dict[str, Any]]:
    """Weights that are trained -> two groups, in torch's form: with weight decay, and without."""
    trained = [p for p in weights if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let every group learn at `rate`, or at its own multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)


class RunningMean:
    """An exponential mean of a network's weights and batch-norm statistics.

    The decay starts low (its tenth step remembers half) so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.weights = {name: value.clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move towards the network's present weights."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 10))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - decay)
            else:
                self.weights[name].copy_(value)
