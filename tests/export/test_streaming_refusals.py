"""What cannot stream is named, with the reason and what to change."""

import pytest
import torch
from streams import nets
from torch import Tensor, nn

from earlet.errors import ParityError
from earlet_export.streaming.plan import Plan, plan_model
from earlet_export.streaming.rules import RULES

FRAMES = 32


def planned(body: nn.Module, head: str = "mean") -> Plan:
    torch.manual_seed(0)
    return plan_model(nets.traced(nets.with_head(body, head, frames=FRAMES), frames=FRAMES).model)


class Recurrent(nn.Module):
    """An LSTM along time."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(nets.CHANNELS * nets.BINS, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        rows: Tensor = self.lstm(x.permute(0, 3, 1, 2).flatten(2))[0]
        return rows.transpose(1, 2)[:, :, None]


class Backwards(nn.Module):
    """Time joined to itself."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x], dim=3)


class Positions(nn.Module):
    """A weight of its own for each moment."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0, 1, FRAMES))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@pytest.mark.parametrize(
    ("body", "where", "why", "change"),
    [
        (nn.Conv2d(2, 4, 3, padding=1), "Conv", "pads time", "padding along time to 0"),
        (nn.MaxPool2d(3, stride=1, padding=1), "MaxPool", "pads time", "to 0"),
        (nn.InstanceNorm2d(2, affine=True), "", "normalizes by all moments", "BatchNorm"),
        (Recurrent(), "LSTM", "begins anew in every window", "convolutions"),
        (Backwards(), "Concat", "one after the other in time", "average over time"),
        (Positions(), "Mul", "a weight of its own", "same weight"),
        (nn.Linear(FRAMES, 4), "MatMul", "reads all moments", "average over time"),
    ],
)
def test_what_needs_the_whole_window_is_named(
    body: nn.Module, where: str, why: str, change: str
) -> None:
    (first, *_) = planned(body).stops
    assert where in first.name
    assert why in first.blocked.why
    assert change in first.blocked.change


def test_behind_the_first_thing_that_needs_a_window_nothing_streams() -> None:
    body = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3))
    plan = planned(body)
    assert not any(name.endswith("Conv") for name in plan.moved)
    assert plan.tail_share == 1


def test_a_model_that_judges_moments_is_refused() -> None:
    with pytest.raises(ParityError, match="judges moments, not windows"):
        plan_model(nets.traced(nn.Conv2d(2, 2, (6, 1)), frames=FRAMES).model)


def test_an_operator_without_a_rule_does_not_stream() -> None:
    assert "Einsum" not in RULES
    plan = planned(Einsum())
    assert "how Einsum runs along time is not known" in plan.stops[0].blocked.why


class Einsum(nn.Module):
    """Exported as an operator of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bcfn,bcfn->bcfn", x, x)
