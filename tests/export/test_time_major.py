"""Maps laid out moment by moment: the same answers, from every operator that has a rule."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from streams.nets import BINS, CHANNELS, Branches, Moments, Picture, Residual, with_head
from torch import Tensor, nn

from earlet_export.passes.time_major import time_major
from earlet_export.run import Runner
from earlet_export.trace import trace

FRAMES = 24


class Then(nn.Module):
    """A convolution to [B, 4, 6, 22], something, and the mean over what is left of a map."""

    def __init__(self, something: Callable[[Tensor], Tensor], *, channels: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(CHANNELS, 4, 3, padding=(1, 0))
        self.something = something
        self.output = nn.Linear(channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.something(torch.relu(self.conv(x)))
        # Places weigh differently: a mean alone would not tell axes that changed places.
        if x.ndim == 4:
            x = (x * torch.arange(x.shape[2] * x.shape[3]).reshape(x.shape[2:])).mean(dim=(2, 3))
        logits: Tensor = self.output(x)
        return logits


class OneChannel(nn.Module):
    """A convolution on a single channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.output = nn.Conv2d(1, 4, (3, 2)), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.output(self.conv(x).mean(dim=(2, 3)))
        return logits


def graph_of(model: nn.Module) -> onnx.ModelProto:
    torch.manual_seed(3)
    picture = Picture(model, frames=FRAMES).eval()
    return trace(picture, window_samples=CHANNELS * BINS * FRAMES).model


def disagreement(one: onnx.ModelProto, other: onnx.ModelProto) -> float:
    features = np.random.default_rng(2).standard_normal((3, CHANNELS, BINS, FRAMES))
    a, b = (Runner.of(model)(features.astype(np.float32)) for model in (one, other))
    assert np.ptp(a) > 0
    return float(np.abs(a - b).max() / np.abs(a).max())


def turned_back(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node if node.name.endswith(".back")]


LINE = torch.linspace(-1, 1, 22)
COLUMN = torch.linspace(-2, 1, 6)[:, None]


@pytest.mark.parametrize(
    "something",
    {
        "along time": lambda x: x * LINE,
        "along frequency": lambda x: x + COLUMN,
        "per channel": lambda x: x * torch.arange(4.0)[:, None, None],
        "whole map": lambda x: x - (LINE + COLUMN),
        "two maps": lambda x: x * torch.sigmoid(x),
        "gate": lambda x: x * torch.sigmoid(x.mean(dim=(2, 3), keepdim=True)),
        "gate of moments": lambda x: x * torch.sigmoid(x.mean(dim=(1, 2), keepdim=True)),
        "softmax over frequency": lambda x: torch.softmax(x, dim=2),
        "softmax over time": lambda x: torch.softmax(x, dim=-1),
        "slices": lambda x: x[:, 1:, 1:4, 2:-3] + x[:, :-1, 2:5, 5:],
        "concatenated": lambda x: torch.cat([x[..., :11], x[..., 11:] * 2], dim=3),
        "split": lambda x: torch.cat(x.chunk(2, dim=2)[::-1], dim=1),
        "padded": lambda x: nn.functional.pad(x, (1, 2, 3, 0)),
        "pools": lambda x: (
            nn.functional.max_pool2d(x, (2, 3), stride=(2, 1))
            + nn.functional.avg_pool2d(x, (2, 3), stride=(2, 1))
        ),
        "asymmetric kernel": nn.Conv2d(
            4, 4, (3, 5), stride=(1, 2), padding=(1, 2), dilation=(1, 2)
        ),
    }.items(),
    ids=lambda case: case[0],
)
def test_every_rule_keeps_what_the_network_says(
    something: tuple[str, Callable[[Tensor], Tensor]],
) -> None:
    name, made = something
    channels = {"slices": 3, "split": 8}.get(name, 4)
    model = graph_of(Then(made, channels=channels))
    turned = time_major(model)
    assert disagreement(model, turned) < 1e-6
    assert not turned_back(turned)
    assert turned.graph.node[0].op_type == "Transpose"


@pytest.mark.parametrize(
    ("something", "channels"),
    [
        (lambda x: x.mean(dim=2).amax(dim=2), 4),
        (lambda x: x.amax(dim=3).flatten(1), 24),
        (lambda x: x.mean(dim=2, keepdim=True).squeeze(2).mean(dim=2), 4),
        (lambda x: x.amax(dim=3, keepdim=True).flatten(1), 24),
        (lambda x: x.permute(0, 3, 1, 2).flatten(2).mean(dim=1), 24),
    ],
    ids=["means", "a bin each", "squeezed", "flat, one moment", "moments in front"],
)
def test_operators_that_take_the_map_apart_make_what_they_made_before(
    something: Callable[[Tensor], Tensor], channels: int
) -> None:
    model = graph_of(Then(something, channels=channels))
    turned = time_major(model)
    assert disagreement(model, turned) < 1e-6
    assert not turned_back(turned)


def test_what_has_no_rule_gets_its_map_back_where_that_is_cheap() -> None:
    # One channel of the two that came in, laid flat: half of what was turned.
    model = graph_of(Then(lambda x: x[:, :1, :, ::2].flatten(1), channels=66))
    turned = time_major(model)
    assert disagreement(model, turned) < 1e-6
    assert len(turned_back(turned)) == 1


@pytest.mark.parametrize("head", ["mean", "max", "attention", "mean+std"])
def test_networks_that_stream_are_turned_whole(head: str) -> None:
    body = nn.Sequential(
        nn.Conv2d(CHANNELS, 4, (3, 2), padding=(1, 0)),
        Residual(4, kernel=3, dilation=2, activation=nn.PReLU(4)),
        Branches(4, narrow=2, wide=4),
        nn.MaxPool2d((2, 1)),
        nn.Conv2d(8, 5, (1, 2)),
    )
    torch.manual_seed(4)
    model = graph_of(with_head(body, head, frames=FRAMES))
    turned = time_major(model)
    assert disagreement(model, turned) < 1e-5
    assert not turned_back(turned)
    names = {node.name for node in turned.graph.node}
    assert {node.name for node in model.graph.node} <= names


def test_a_matrix_for_each_moment_is_met_half_way() -> None:
    model = graph_of(with_head(Moments(CHANNELS, BINS), "mean", frames=FRAMES))
    # No convolution, nothing to gain.
    assert time_major(model) is model


def test_a_graph_that_would_be_turned_back_stays_as_it_is() -> None:
    model = graph_of(Then(lambda x: x.flatten(1), channels=4 * 6 * 22))
    assert time_major(model) is model


def test_a_single_channel_is_turned_in_two_steps_that_stay_apart() -> None:
    """[B, 1, F, N] -> [B, N, 1, F] -> [B, 1, N, F]: merged they would crawl."""

    picture = Picture(OneChannel().eval(), frames=FRAMES, channels=1).eval()
    model = trace(picture, window_samples=CHANNELS * BINS * FRAMES).model
    turned = time_major(model)
    assert [node.op_type for node in turned.graph.node[:2]] == ["Transpose", "Reshape"]
    features = np.random.default_rng(2).standard_normal((3, 1, CHANNELS * BINS, FRAMES))
    a, b = (Runner.of(graph)(features.astype(np.float32)) for graph in (model, turned))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
