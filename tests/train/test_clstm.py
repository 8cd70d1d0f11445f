import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet_export.quantize import observe, quantize
from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.models.clstm import Clstm, ClstmSettings

Array = NDArray[np.float64]
PUBLISHED = (1, 80, 51)
SHAPE = (1, 20, 12)
SETTINGS = ClstmSettings(channels=8, hidden=16)


def made(settings: ClstmSettings = SETTINGS, shape: tuple[int, int, int] = SHAPE) -> Clstm:
    torch.manual_seed(0)
    return Clstm(settings, shape=shape, classes=10)


def test_it_has_our_count_of_parameters_not_the_papers() -> None:
    """The paper says 1.18 million; the layers it describes have 1.82."""
    network = made(ClstmSettings(), PUBLISHED)
    assert sum(p.numel() for p in network.parameters()) == 1_818_220
    assert network.lstm.input_size == 1000
    assert network.eval()(torch.randn(2, *PUBLISHED)).shape == (2, 10)


def test_each_band_of_each_clip_is_normalized_over_time() -> None:
    """So a gain per band, and a level per clip in the log domain, change next to nothing."""
    network = made().eval()
    x = torch.randn(2, *SHAPE)
    moved = x * torch.linspace(0.5, 3, 20)[:, None] + torch.linspace(-9, 9, 20)[:, None]
    torch.testing.assert_close(network(moved), network(x), atol=1e-3, rtol=0)
    assert float((network(x.roll(1, dims=2)) - network(x)).detach().abs().max()) > 1e-3


def test_the_answer_is_the_equations() -> None:
    """One clip at a time in numpy, with its own convolution, pool and LSTM cells."""
    network = made()
    features = torch.randn(3, *SHAPE) * 2 + 1
    network.train()
    with torch.no_grad():
        for _ in range(5):
            network(features)
    network.eval().double()
    found = network(features.double()).detach().numpy()
    for clip, answer in zip(features.double().numpy(), found, strict=True):
        np.testing.assert_allclose(answer, by_hand(network, clip[0]), atol=1e-10)


def by_hand(network: Clstm, x: Array) -> Array:
    """One clip [F, N] -> logits [K]."""
    x = batch_norm(network.norm, x[None])[0]
    x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    kernel = numbers(network.convolution[0].weight)[:, 0]
    bias = numbers(network.convolution[0].bias)
    patches = np.lib.stride_tricks.sliding_window_view(x, (5, 5))
    maps = np.einsum("fnij,cij->cfn", patches, kernel) + bias[:, None, None]
    maps = batch_norm(network.convolution[1], maps)
    bands = maps.shape[1] // 3
    pooled = np.stack([maps[:, 3 * i : 3 * i + 3].max(axis=1) for i in range(bands)], axis=1)
    steps = [pooled[:, :, n].reshape(-1) for n in range(pooled.shape[2])]
    for layer in range(2):
        steps = lstm(network.lstm, layer, steps)
    logits: Array = numbers(network.output.weight) @ steps[-1] + numbers(network.output.bias)
    return logits


def batch_norm(module: nn.Module, x: Array) -> Array:
    """[C, F, N] -> the same."""
    assert isinstance(module, nn.BatchNorm2d)
    mean, variance = numbers(module.running_mean), numbers(module.running_var)
    scale = numbers(module.weight) / np.sqrt(variance + module.eps)
    out: Array = (x - mean[:, None, None]) * scale[:, None, None]
    return out + numbers(module.bias)[:, None, None]


def lstm(module: nn.LSTM, layer: int, steps: list[Array]) -> list[Array]:
    into, again, bias, second = (
        numbers(getattr(module, f"{name}_l{layer}"))
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    h, c, out = np.zeros(again.shape[1]), np.zeros(again.shape[1]), []
    for step in steps:
        i, f, g, o = np.split(into @ step + bias + again @ h + second, 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        out.append(h)
    return out


def numbers(tensor: object) -> Array:
    assert isinstance(tensor, Tensor)
    array: Array = tensor.detach().numpy()
    return array


def test_the_gradient_reaches_the_convolution_through_the_last_step() -> None:
    network = made()
    network(torch.randn(3, *SHAPE)).square().sum().backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    assert len(gradients) == len(list(network.parameters()))
    assert float(gradients["convolution.0.weight"].abs().max()) > 1e-6


def test_the_norm_of_bands_is_an_instance_norm() -> None:
    x = torch.randn(3, 20, 12) * 5 - 30
    expected = nn.InstanceNorm1d(20)(x)
    torch.testing.assert_close(made().bands(x), expected, atol=1e-4, rtol=0)


def test_silence_gives_finite_logits_and_gradients() -> None:
    """A band that never changes has no variance."""
    network = made()
    network(torch.full((2, *SHAPE), -100.0)).sum().backward()
    assert all(
        bool(torch.isfinite(p.grad).all()) for p in network.parameters() if p.grad is not None
    )
    assert bool(torch.isfinite(network.eval()(torch.zeros(1, *SHAPE))).all())


@pytest.mark.parametrize("shape", [(2, 20, 12), (1, 6, 12), (1, 20, 4)])
def test_features_it_cannot_take_are_refused(shape: tuple[int, int, int]) -> None:
    channels, bins, _ = shape
    with pytest.raises(ValueError, match=f"found features of {channels} channels x {bins} bins"):
        made(shape=shape)


class Behind(nn.Module):
    """The model behind a frontend that only gives the samples the picture's shape."""

    def __init__(self, model: Clstm) -> None:
        super().__init__()
        self.model = model

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, *SHAPE)


def test_the_exported_graph_gives_the_same_logits_and_only_the_convolution_becomes_int8() -> None:
    network, x = made().eval(), torch.randn(3, *SHAPE)
    graph = trace(Behind(network).eval(), window_samples=240).model
    with torch.no_grad():
        exact = network(x).numpy()
    for batch in (1, 3):
        np.testing.assert_allclose(Runner.of(graph)(x[:batch].numpy()), exact[:batch], atol=1e-5)
    # Bands that do not change have no variance: rounding is all that a norm could see there.
    flat = torch.linspace(-100, 0, 20)[:, None].expand(1, *SHAPE)
    with torch.no_grad():
        np.testing.assert_allclose(Runner.of(graph)(flat.numpy()), network(flat), atol=1e-5)
    int8 = quantize(graph, observe(graph, [clip[None].numpy() for clip in x]))
    assert 0 < np.abs(Runner.of(int8)(x.numpy()) - exact).max() < 0.1 * np.abs(exact).max()
    weights = {w.name: w.data_type for w in int8.graph.initializer}
    fp32 = {w.name: w.data_type for w in graph.graph.initializer}
    for node in int8.graph.node:
        if node.op_type in ("LSTM", "BatchNormalization", "Gemm"):
            # What is added up in double reads the weight through a cast.
            weight = node.input[1].removesuffix(".double")
            assert weights[weight] == fp32[weight], node.name
        if node.op_type == "Conv":
            assert node.input[1] not in weights
