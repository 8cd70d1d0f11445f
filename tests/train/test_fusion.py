"""Each fusion against its formula, written once more with loops over clips and places."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet_train.models.fusion import (
    NOTES,
    ChannelGate,
    ChannelView,
    Fusion,
    PlaceGate,
    ReceptiveFields,
    Views,
    fusion,
)

Array = NDArray[np.float64]
KINDS: tuple[Fusion, ...] = get_args(Fusion)
W, F, N = 6, 5, 7


def clips(batch: int = 3, *, bins: int = F, frames: int = N) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(batch, W, bins, frames, generator=generator, dtype=torch.float64)


def made(kind: Fusion) -> nn.Module:
    torch.manual_seed(1)
    return fusion(kind, W).double().eval()


def of(parameter: Tensor) -> Array:
    array: Array = parameter.detach().numpy()
    return array


def sigmoid(x: Array) -> Array:
    out: Array = 1 / (1 + np.exp(-x))
    return out


def channel_view(view: ChannelView, y: Array) -> Array:
    """One clip [W, F, N] -> c [W]."""
    first, _, second, _ = view.layers
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.Conv2d)
    assert first.bias is not None
    assert second.bias is not None
    mean = np.array([y[w].sum() / y[w].size for w in range(W)])
    hidden = np.maximum(of(first.weight)[:, :, 0, 0] @ mean + of(first.bias), 0)
    return sigmoid(of(second.weight)[:, :, 0, 0] @ hidden + of(second.bias))


def viewed(module: nn.Module, y: Array) -> Array:
    """M(y) = y (c + f + t) / 3, place by place."""
    assert isinstance(module, Views)
    assert module.frequency.bias is not None
    assert module.time.bias is not None
    c = channel_view(module.channels, y)
    out = np.zeros_like(y)
    for b in range(y.shape[1]):
        over_time = y[:, b, :].mean(axis=1)
        f = sigmoid(of(module.frequency.weight)[:, :, 0, 0] @ over_time + of(module.frequency.bias))
        for n in range(y.shape[2]):
            over_bins = y[:, :, n].mean(axis=1)
            t = sigmoid(of(module.time.weight)[:, :, 0, 0] @ over_bins + of(module.time.bias))
            out[:, b, n] = y[:, b, n] * (c + f + t) / 3
    return out


def gated_by_place(module: nn.Module, y: Array) -> Array:
    """y times the sigmoid of a 7x7 kernel, two apart, over the channels' mean."""
    assert isinstance(module, PlaceGate)
    assert module.look.bias is not None
    kernel, bias = of(module.look.weight)[0, 0], of(module.look.bias)[0]
    mean = np.pad(y.mean(axis=0), 6)
    out = np.zeros_like(y)
    for b in range(y.shape[1]):
        for n in range(y.shape[2]):
            seen = sum(
                kernel[i, j] * mean[b + 2 * i, n + 2 * j] for i in range(7) for j in range(7)
            )
            out[:, b, n] = y[:, b, n] * sigmoid(np.array(seen + bias))
    return out


def gated_by_channel(module: nn.Module, y: Array) -> Array:
    assert isinstance(module, ChannelGate)
    return y * channel_view(module.channels, y)[:, None, None]


FORMULAS: dict[Fusion, Callable[[nn.Module, Array], Array]] = {
    "none": lambda _, y: y,
    "views": viewed,
    "depthwise": gated_by_place,
    "gate": gated_by_channel,
}


@pytest.mark.parametrize("kind", FORMULAS)
def test_a_fusion_is_its_formula(kind: Fusion) -> None:
    module, y = made(kind), clips()
    found = module(y).detach().numpy()
    for clip, answer in zip(y.numpy(), found, strict=True):
        np.testing.assert_allclose(answer, FORMULAS[kind](module, clip), atol=1e-12)


def test_receptive_fields_see_one_three_and_five_places() -> None:
    """A pulse in one place of the middle of nothing: how far each of the fields answers."""
    torch.manual_seed(1)
    module = ReceptiveFields(W).double().eval()
    pulse = torch.zeros(1, W, 11, 11, dtype=torch.float64)
    pulse[0, :, 5, 5] = 1
    reached = []
    for field in module.fields:
        assert isinstance(field, nn.Sequential)
        answer = field[0](pulse)[0].abs().amax(dim=0) > 0
        reached.append((int(answer.any(dim=0).nonzero().max()) - 5, int(answer.sum())))
    assert reached == [(0, 1), (1, 9), (2, 9)]
    assert module(pulse).shape == pulse.shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_fusion_keeps_the_shape_and_takes_any_size(kind: Fusion) -> None:
    module = made(kind)
    for bins, frames in ((1, 1), (3, 20), (20, 3)):
        y = clips(bins=bins, frames=frames)
        assert module(y).shape == y.shape


@pytest.mark.parametrize("kind", KINDS)
def test_a_fusion_treats_each_clip_alone(kind: Fusion) -> None:
    module, y = made(kind), clips()
    torch.testing.assert_close(module(y)[1:2], module(y[1:2]))


def test_gates_only_weaken() -> None:
    y = clips()
    for kind in ("views", "depthwise", "gate"):
        share = (made(kind)(y) / y).detach()
        assert 0 < float(share.min()) < float(share.max()) < 1, kind


def test_every_fusion_but_none_is_called_a_reconstruction() -> None:
    assert set(NOTES) == set(KINDS)
    assert NOTES["none"] == ""
    assert all("reconstruction" in NOTES[kind] for kind in KINDS if kind != "none")
