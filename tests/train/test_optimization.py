import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from earlet_train.optimization import RunningMean, learning_rate, make_loss, make_optimizer
from earlet_train.recipe import Training

CPU = torch.device("cpu")


def test_nll_is_cross_entropy_with_class_weights() -> None:
    logits, labels = torch.randn(8, 2), torch.arange(8) % 2
    loss = make_loss(Training(epochs=1, class_weights=(9.0, 1.0)), classes=2, device=CPU)
    expected = F.nll_loss(F.log_softmax(logits, 1), labels, weight=torch.tensor([9.0, 1.0]))
    torch.testing.assert_close(loss(logits, labels), expected)


def test_bce_asks_each_logit_alone() -> None:
    loss = make_loss(Training(epochs=1, loss="bce"), classes=3, device=CPU)
    sure = torch.full((3, 3), -20.0) + 40 * torch.eye(3)
    assert float(loss(sure, torch.arange(3))) < 1e-6
    # A common shift of all logits leaves the softmax alone, but not three yes-or-no answers.
    assert float(loss(sure + 30, torch.arange(3))) > 5


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_every_optimizer_lowers_a_loss_and_decays_no_bias(kind: str) -> None:
    torch.manual_seed(0)
    training = Training(epochs=1, optimizer=kind, learning_rate=0.05, weight_decay=0.1)  # type: ignore[arg-type]
    layer, x = nn.Linear(4, 2), torch.randn(64, 4)
    y = (x[:, 0] > 0).long()
    optimizer = make_optimizer(training, layer)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.1, 0.0]
    first = F.cross_entropy(layer(x), y).item()
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(layer(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert F.cross_entropy(layer(x), y).item() < 0.8 * first


def test_the_rate_warms_up_then_falls_to_nothing() -> None:
    training = Training(epochs=10, learning_rate=1.0, schedule="cosine", warmup_epochs=2.0)
    rates = [learning_rate(training, epoch=e / 4) for e in range(41)]
    assert rates[0] < 0.01
    assert max(rates) == pytest.approx(1.0, abs=0.01) == rates[8]
    assert rates[8:] == sorted(rates[8:], reverse=True)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    constant = dataclasses.replace(training, schedule="constant", warmup_epochs=0.0)
    assert {learning_rate(constant, epoch=e) for e in range(10)} == {1.0}


def test_the_running_mean_forgets_where_it_started() -> None:
    layer = nn.BatchNorm1d(2)
    mean = RunningMean(layer, decay=0.9)
    with torch.no_grad():
        layer.weight.fill_(5.0)
        layer.get_buffer("num_batches_tracked").fill_(7)
    mean.follow(layer)
    assert 1.0 < float(mean.weights["weight"][0]) < 5.0
    for _ in range(300):
        mean.follow(layer)
    torch.testing.assert_close(mean.weights["weight"], torch.full((2,), 5.0))
    assert int(mean.weights["num_batches_tracked"]) == 7
