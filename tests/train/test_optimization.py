import pytest
import torch
import torch.nn.functional as F
from torch import nn

from earlet_train.network import build_network
from earlet_train.optimization import RunningMean, make_optimizer, set_learning_rate
from earlet_train.recipe import parse_recipe
from earlet_train.training import Training


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


def test_what_a_recipe_says_of_adam_and_sgd_reaches_them() -> None:
    layer = nn.Linear(4, 2)
    adam = make_optimizer(
        Training(epochs=1, optimizer="adam", betas=(0.9, 0.98), eps=1e-9, amsgrad=True), layer
    )
    said = [(g["betas"], g["eps"], g["amsgrad"]) for g in adam.param_groups]
    assert said == [((0.9, 0.98), 1e-9, True)] * 2
    sgd = make_optimizer(Training(epochs=1, optimizer="sgd", momentum=0.5), layer)
    assert [g["momentum"] for g in sgd.param_groups] == [0.5, 0.5]


def test_the_frontend_may_learn_at_its_own_rate(recipe_text: str) -> None:
    network = build_network(parse_recipe(recipe_text, source="tiny.toml"))
    # `bands` has nothing to train: a scale per band stands for a filterbank that has.
    network.frontend.register_parameter("scale", nn.Parameter(torch.ones(32)))
    training = Training(epochs=1, optimizer="sgd", learning_rate=0.1, frontend_learning_rate=0.01)
    optimizer = make_optimizer(training, network)
    set_learning_rate(optimizer, 0.05)
    rates = {
        id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]
    }
    own = {id(p) for p in network.frontend.parameters()}
    assert len(rates) == len(list(network.parameters()))
    for key, rate in rates.items():
        assert rate == pytest.approx(0.005 if key in own else 0.05)


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
