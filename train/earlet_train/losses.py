"""What training makes small: the losses that a recipe can name, all for soft targets.

A target is a row of shares over the labels that sums to 1: all of it on one label for a clip as it
is, split between two where clips were mixed. Every loss here is a weighted mean over all shares,

    sum_bk  t_bk w_k l_bk  /  sum_bk  t_bk w_k,

with t the targets [B, K], w the weights of the classes [K] and l_bk what answer b costs if its
label is k. The denominator is the batch's `mass`: several processes, each with a part of a batch,
combine their losses by it.
"""

import math
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from earlet_train.training import Training


class Loss(ABC):
    """(logits [B, K], targets [B, K], embedding [B, E], step) -> mean loss, weighted by class.

    `step` counts the batches of the whole run, from 0.
    """

    def __init__(self, training: Training, *, classes: int, device: torch.device) -> None:
        self.weights = torch.tensor(training.class_weights or [1.0] * classes, device=device)
        self.smoothing, self.classes = training.label_smoothing, classes

    @abstractmethod
    def __call__(self, logits: Tensor, targets: Tensor, embedding: Tensor, step: int) -> Tensor:
        """Logits [B, K], targets [B, K], embedding [B, E] -> a number."""

    def mass(self, targets: Tensor) -> Tensor:
        """Targets [B, K] -> how much this batch weighs among others."""
        return (targets * self.weights).sum()

    def smoothed(self, targets: Tensor) -> Tensor:
        """Targets [B, K] -> targets [B, K], the share `label_smoothing` spread over all labels."""
        return targets * (1 - self.smoothing) + self.smoothing / self.classes


class Nll(Loss):
    """Likelihood: l_bk = -log softmax(logits_b)_k."""

    def __call__(self, logits: Tensor, targets: Tensor, embedding: Tensor, step: int) -> Tensor:
        """As torch's `cross_entropy` with `weight` and `label_smoothing`, for soft targets too."""
        if bool((targets.amax(dim=1) == 1).all()):
            # Torch's own, which adds up in another order: what was trained before targets could
            # be soft is trained the same to the last bit.
            return F.cross_entropy(
                logits, targets.argmax(dim=1), self.weights, label_smoothing=self.smoothing
            )
        costs = -F.log_softmax(logits, dim=1)
        return (self.smoothed(targets) * self.weights * costs).sum() / self.mass(targets)


class Bce(Loss):
    """Every logit its own yes or no: l_b is the same for all k, the mean of K binary entropies."""

    def __call__(self, logits: Tensor, targets: Tensor, embedding: Tensor, step: int) -> Tensor:
        """Logits [B, K], targets [B, K] -> a number; the embedding is not looked at."""
        wanted = self.smoothed(targets)
        costs = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=1)
        weights = (targets * self.weights).sum(dim=1)
        return (costs * weights).sum() / weights.sum()


class ASoftmax(Loss):
    """The angular margin of SphereFace (Liu et al., CVPR 2017), m = 4.

    Needs a head whose logits are |x| cos(theta_k), x the embedding and theta_k its angle to the
    direction of class k. Where k is the label, cos(theta) becomes

        (lambda cos(theta) + psi(theta)) / (1 + lambda),   psi(theta) = (-1)^j cos(4 theta) - 2 j,

    with j = floor(4 theta / pi): psi falls from 1 to -7 while theta goes from 0 to pi, four times
    as steeply as the cosine. lambda = max(5, 1500 / (1 + step / 10)) lets the margin in slowly; the
    paper has the idea, these numbers are those of the widespread PyTorch code
    (clcarwin/sphereface_pytorch), which the Res2Net of the SR-LA authors uses too. Where a target
    is split, the loss is split likewise: each label's own loss times its share.
    """

    def __call__(self, logits: Tensor, targets: Tensor, embedding: Tensor, step: int) -> Tensor:
        """Logits [B, K] = |embedding| cos(theta), targets [B, K] -> a number."""
        annealing = max(5.0, 1500.0 / (1 + 0.1 * step))
        length = torch.linalg.vector_norm(embedding, dim=1, keepdim=True).clamp(min=1e-6)
        margin = (length * psi(logits / length) - logits) / (1 + annealing)
        # Row k of [B, K, K]: the logits as they are if the label is k.
        if_label = logits[:, None, :] + torch.diag_embed(margin)
        costs = -F.log_softmax(if_label, dim=2).diagonal(dim1=1, dim2=2)
        return (self.smoothed(targets) * self.weights * costs).sum() / self.mass(targets)


LOSSES: dict[str, type[Loss]] = {"nll": Nll, "bce": Bce, "a-softmax": ASoftmax}


def make_loss(training: Training, *, classes: int, device: torch.device) -> Loss:
    """The loss that a recipe names."""
    return LOSSES[training.loss](training, classes=classes, device=device)


def psi(cosine: Tensor) -> Tensor:
    """Cosines of angles [...] -> SphereFace's psi of these angles [...] for m = 4, in -7..1."""
    cosine = cosine.clamp(-1.0, 1.0)
    folds = torch.floor(4 * torch.acos(cosine.detach()) / math.pi).clamp(0, 3)
    sign = 1 - 2 * torch.remainder(folds, 2)
    return sign * (8 * cosine**4 - 8 * cosine**2 + 1) - 2 * folds
