import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from earlet_train.losses import LOSSES, Loss, make_loss, psi
from earlet_train.training import Training

CPU = torch.device("cpu")
EMBEDDING = torch.ones(8, 4)


def loss_of(kind: str, *, weights: tuple[float, ...] = (), smoothing: float = 0.0) -> Loss:
    training = Training(
        epochs=1,
        loss=kind,  # type: ignore[arg-type]
        class_weights=weights,
        label_smoothing=smoothing,
    )
    return make_loss(training, classes=len(weights) or 3, device=CPU)


def one_hot(labels: Tensor, classes: int = 3) -> Tensor:
    return F.one_hot(labels, classes).float()


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0)) * 3


LABELS = torch.tensor([0, 1, 2, 1, 0, 1, 1, 2])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nll_of_whole_labels_is_torchs_to_the_last_bit(logits: Tensor, smoothing: float) -> None:
    loss = loss_of("nll", weights=(9.0, 1.0, 0.5), smoothing=smoothing)
    expected = F.cross_entropy(
        logits, LABELS, torch.tensor([9.0, 1.0, 0.5]), label_smoothing=smoothing
    )
    assert torch.equal(loss(logits, one_hot(LABELS), EMBEDDING, 0), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nll_of_soft_labels_is_the_same_formula(logits: Tensor, smoothing: float) -> None:
    loss = loss_of("nll", weights=(9.0, 1.0, 0.5), smoothing=smoothing)
    # So little of another label that the value hardly moves, and enough to take the other path.
    nearly = one_hot(LABELS) * (1 - 1e-6) + 1e-6 / 3
    assert float(nearly.max()) < 1
    expected = loss(logits, one_hot(LABELS), EMBEDDING, 0)
    torch.testing.assert_close(loss(logits, nearly, EMBEDDING, 0), expected, rtol=1e-5, atol=1e-5)


def test_a_batch_mixed_half_and_half_costs_the_mean_of_both(logits: Tensor) -> None:
    others = LABELS.roll(1)
    mixed = 0.5 * one_hot(LABELS) + 0.5 * one_hot(others)
    for kind in ("nll", "a-softmax"):
        loss = loss_of(kind)
        halves = [loss(logits, one_hot(labels), EMBEDDING, 7) for labels in (LABELS, others)]
        torch.testing.assert_close(loss(logits, mixed, EMBEDDING, 7), sum(halves) / 2)


def test_bce_asks_each_logit_alone() -> None:
    loss = loss_of("bce")
    sure, targets = torch.full((3, 3), -20.0) + 40 * torch.eye(3), torch.eye(3)
    assert float(loss(sure, targets, EMBEDDING, 0)) < 1e-6
    # A common shift of all logits leaves the softmax alone, but not three yes-or-no answers.
    assert float(loss(sure + 30, targets, EMBEDDING, 0)) > 5


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_parts_of_a_batch_add_up_by_their_mass(kind: str, logits: Tensor) -> None:
    loss = loss_of(kind, weights=(9.0, 1.0, 0.5), smoothing=0.05)
    targets = one_hot(LABELS)
    targets[3] = torch.tensor([0.3, 0.7, 0.0])
    whole = loss(logits, targets, EMBEDDING, 5)
    parts = [slice(0, 3), slice(3, 8)]
    added = sum(
        loss(logits[part], targets[part], EMBEDDING[part], 5) * loss.mass(targets[part])
        for part in parts
    )
    torch.testing.assert_close(added / loss.mass(targets), whole)


def test_psi_falls_all_the_way_and_meets_the_cosine_at_its_ends() -> None:
    angles = torch.linspace(1e-3, math.pi - 1e-3, 500, dtype=torch.float64)
    values = psi(torch.cos(angles))
    assert bool((values.diff() < 0).all())
    # psi(theta) = (-1)^j cos(4 theta) - 2 j, written with angles instead of a polynomial.
    fold = torch.floor(4 * angles / math.pi)
    torch.testing.assert_close(values, (-1) ** fold * torch.cos(4 * angles) - 2 * fold)
    torch.testing.assert_close(psi(torch.tensor([1.0, -1.0])), torch.tensor([1.0, -7.0]))


def test_the_angular_margin_makes_the_own_label_dearer_and_comes_in_slowly() -> None:
    generator = torch.Generator().manual_seed(1)
    embedding = torch.randn(8, 4, generator=generator)
    directions = F.normalize(torch.randn(3, 4, generator=generator), dim=1)
    logits = F.linear(embedding, directions)
    loss, plain = loss_of("a-softmax"), loss_of("nll")
    targets = one_hot(LABELS)
    costs = [float(loss(logits, targets, embedding, step)) for step in (0, 100, 1000, 10**6)]
    assert float(plain(logits, targets, embedding, 0)) < costs[0] < costs[1] < costs[2] < costs[3]
    # From 2990 steps on lambda is 5, and stays.
    assert costs[3] == float(loss(logits, targets, embedding, 10**9))
    # By hand, for one clip of label 0.
    length, cosine = embedding[0].norm(), logits[0, 0] / embedding[0].norm()
    own = length * (5 * cosine + psi(cosine)) / 6
    expected = torch.logsumexp(torch.stack([own, logits[0, 1], logits[0, 2]]), dim=0) - own
    torch.testing.assert_close(loss(logits[:1], targets[:1], embedding[:1], 10**6), expected)


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_every_loss_pulls_towards_the_label(kind: str) -> None:
    embedding = torch.randn(8, 4, generator=torch.Generator().manual_seed(2))
    directions = torch.nn.Parameter(torch.eye(3, 4) + 0.1)
    loss, optimizer = loss_of(kind), torch.optim.Adam([directions], lr=0.05)
    labels = (embedding @ torch.randn(4, 3, generator=torch.Generator().manual_seed(3))).argmax(1)
    costs = []
    for _ in range(60):
        logits = F.linear(embedding, F.normalize(directions, dim=1))
        cost = loss(logits, one_hot(labels), embedding, 10**6)
        optimizer.zero_grad()
        cost.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        costs.append(float(cost.detach()))
    assert costs[-1] < 0.8 * costs[0]


def test_an_embedding_of_nothing_costs_something_finite() -> None:
    loss, nothing = loss_of("a-softmax"), torch.zeros(2, 4, requires_grad=True)
    cost = loss(F.linear(nothing, torch.eye(3, 4)), torch.eye(3)[:2], nothing, 0)
    cost.backward()  # type: ignore[no-untyped-call]
    assert nothing.grad is not None
    assert bool(torch.isfinite(nothing.grad).all())
    assert math.isfinite(float(cost.detach()))
