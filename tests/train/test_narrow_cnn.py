import pytest
import torch
from torch import Tensor, nn

from earlet_train.models.narrow_cnn import NarrowCnn, NarrowCnnSettings


def test_it_reads_any_length_but_one_height() -> None:
    network = NarrowCnn(NarrowCnnSettings(), shape=(1, 128, 397), classes=2).eval()
    assert network(torch.randn(2, 1, 128, 133)).shape == (2, 2)
    with pytest.raises(RuntimeError):
        network(torch.randn(2, 1, 64, 397))


def test_it_is_small_and_made_of_what_int8_runs() -> None:
    network = NarrowCnn(NarrowCnnSettings(), shape=(1, 128, 397), classes=2)
    assert sum(p.numel() for p in network.parameters()) == 109_682
    layers = [m for m in network.modules() if not list(m.children())]
    fine = nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.Dropout | nn.Linear
    assert all(isinstance(layer, fine) for layer in layers)
    assert all(m.out_channels % 16 == 0 for m in layers if isinstance(m, nn.Conv2d))
    # Every norm follows a convolution, so that it folds into it.
    for norm in (i for i, m in enumerate(layers) if isinstance(m, nn.BatchNorm2d)):
        assert isinstance(layers[norm - 1], nn.Conv2d)


def test_it_needs_about_20_million_products_per_second_of_sound() -> None:
    products = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal products
        if isinstance(module, nn.Conv2d):
            products += output[0].numel() * module.weight[0].numel()

    network = NarrowCnn(NarrowCnnSettings(), shape=(1, 128, 397), classes=2).eval()
    for module in network.modules():
        module.register_forward_hook(count)
    network(torch.randn(1, 1, 128, 397))
    assert 15e6 < products / 4 < 22e6
