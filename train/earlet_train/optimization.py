"""What a recipe's [training] table means in torch: loss, optimizer, learning rate, running mean."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earlet_train.recipe import Training

Loss = Callable[[Tensor, Tensor], Tensor]


def make_loss(training: Training, *, classes: int, device: torch.device) -> Loss:
    """-> (logits [B, K], label indices [B]) -> mean loss, weighted by class."""
    weights = torch.tensor(training.class_weights or [1.0] * classes, device=device)
    smoothing = training.label_smoothing

    def nll(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)

    def bce(logits: Tensor, labels: Tensor) -> Tensor:
        wanted = F.one_hot(labels, classes).to(logits.dtype) * (1 - smoothing) + smoothing / classes
        each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=1)
        weight = weights[labels]
        return (each * weight).sum() / weight.sum()

    return {"nll": nll, "bce": bce}[training.loss]


def make_optimizer(training: Training, network: nn.Module) -> torch.optim.Optimizer:
    """Weight decay falls on matrices and kernels only: norms and biases have no scale to decay."""
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if training.optimizer == "adam":
        return torch.optim.Adam(groups, lr=training.learning_rate)
    if training.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=training.learning_rate)
    return torch.optim.SGD(groups, lr=training.learning_rate, momentum=0.9)


def learning_rate(training: Training, *, epoch: float) -> float:
    """At a point of the run, in epochs since its start (2.5 = half-way through the third)."""
    rate = training.learning_rate
    if epoch < training.warmup_epochs:
        return rate * (epoch + 1e-3) / (training.warmup_epochs + 1e-3)
    if training.schedule == "constant":
        return rate
    left = training.epochs - training.warmup_epochs
    done = (epoch - training.warmup_epochs) / left if left > 0 else 1.0
    return rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


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
