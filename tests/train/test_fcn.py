import numpy as np
import pytest
import torch
from torch import Tensor, nn

from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.models.fcn import ChannelAttention, Fcn, FcnSettings

PUBLISHED = (3, 80, 423)
SHAPE = (3, 32, 40)


def made(width: int = 8, *, shape: tuple[int, int, int] = SHAPE, classes: int = 10) -> Fcn:
    torch.manual_seed(0)
    return Fcn(FcnSettings(width=width), shape=shape, classes=classes)


def test_the_published_numbers_of_parameters_and_multiplications() -> None:
    products = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal products
        if isinstance(module, nn.Conv2d):
            products += output[0].numel() * module.weight[0].numel()

    with torch.device("meta"):
        network = Fcn(FcnSettings(), shape=PUBLISHED, classes=10)
        for module in network.modules():
            module.register_forward_hook(count)
        assert network(torch.zeros(1, *PUBLISHED)).shape == (1, 10)
    assert sum(p.numel() for p in network.parameters()) == 11_780_329
    assert round(products / 1e9, 1) == 9.6


def test_the_maps_are_a_sixteenth_of_the_picture() -> None:
    network = made(shape=PUBLISHED).eval()
    maps = network.maps(network.body(network.norm(torch.randn(1, *PUBLISHED))))
    assert maps.shape == (1, 10, 5, 26)


def test_attention_is_its_formula() -> None:
    """Per clip, in numpy: w = sigmoid(W2 relu(W1 mean) + W2 W1 max), each layer with its bias."""
    torch.manual_seed(0)
    attention = ChannelAttention(10).double()
    maps = torch.randn(3, 10, 4, 5, dtype=torch.float64)
    found = attention(maps).detach().numpy()
    w1, b1 = (p.detach().numpy() for p in attention.squeeze.parameters())
    w2, b2 = (p.detach().numpy() for p in attention.excite.parameters())
    assert w1.shape == (5, 10)
    for clip, answer in zip(maps.numpy(), found, strict=True):
        flat = clip.reshape(10, -1)
        mean = w2 @ np.maximum(w1 @ flat.mean(axis=1) + b1, 0) + b2
        maximum = w2 @ (w1 @ flat.max(axis=1) + b1) + b2
        weights = 1 / (1 + np.exp(-(mean + maximum)))
        np.testing.assert_allclose(answer, clip * weights[:, None, None], atol=1e-12)


def test_the_embedding_is_one_number_per_label() -> None:
    network = made(classes=2).eval()
    features = torch.randn(2, *SHAPE)
    assert torch.equal(network.embedding(features), network(features))
    assert network(features).shape == (2, 2)


def test_the_gradient_reaches_every_parameter() -> None:
    network = made()
    network(torch.randn(3, *SHAPE)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
    first = network.norm.weight.grad
    assert first is not None
    assert float(first.abs().max()) > 0


def test_a_picture_that_is_halved_to_nothing_is_refused_and_the_smallest_is_not() -> None:
    with pytest.raises(ValueError, match="found features of 14 bins x 40 frames, expected 15"):
        made(shape=(3, 14, 40))
    assert made(shape=(3, 15, 15)).eval()(torch.randn(1, 3, 15, 15)).shape == (1, 10)


class Behind(nn.Module):
    """The model behind a frontend that only gives the samples the picture's shape."""

    def __init__(self, model: Fcn) -> None:
        super().__init__()
        self.model = model

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, *SHAPE)


def test_the_exported_graph_gives_the_same_logits_and_keeps_one_norm() -> None:
    """The first norm stands before a padded convolution; the last, behind a ReLU, is folded."""
    network, x = made(), torch.randn(3, *SHAPE)
    network.train()
    with torch.no_grad():
        for _ in range(5):
            network(x)
    graph = trace(Behind(network).eval(), window_samples=3 * 32 * 40).model
    with torch.no_grad():
        exact = network(x).numpy()
    for batch in (1, 3):
        np.testing.assert_allclose(Runner.of(graph)(x[:batch].numpy()), exact[:batch], atol=1e-5)
    norms = [n.name for n in graph.graph.node if n.op_type == "BatchNormalization"]
    assert norms == ["model/norm/BatchNormalization"]
