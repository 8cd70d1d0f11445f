import pytest
import torch
from torch import Tensor, nn

from earlet_train.models.vgg import Vgg, VggSettings

IMAGE = (1, 224, 224)

# What each row of the slide adds, where it adds anything.
ROWS = (160, 32, 2_320, 32, 4_640, 64, 9_248, 64, 18_496, 128, 36_928, 128)
MORE = (73_856, 256, 147_584, 256, 12_546)


def test_every_row_has_the_published_number_of_parameters() -> None:
    model = Vgg(VggSettings(), shape=IMAGE, classes=2)
    rows = [sum(p.numel() for p in m.parameters(recurse=False)) for m in model.modules()]
    assert tuple(row for row in rows if row) == ROWS + MORE
    assert sum(rows) == 306_738


def test_it_has_31_rows_with_the_flattening() -> None:
    model = Vgg(VggSettings(), shape=IMAGE, classes=2)
    assert len(model.body) + 2 == 31
    assert model.output.in_features == 6272


def test_it_needs_404_6_million_multiplications() -> None:
    products = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal products
        if isinstance(module, nn.Conv2d | nn.Linear):
            products += output[0].numel() * module.weight[0].numel()

    model = Vgg(VggSettings(), shape=IMAGE, classes=2).eval()
    for module in model.modules():
        module.register_forward_hook(count)
    model(torch.zeros(1, *IMAGE))
    assert round(products / 1e6, 1) == 404.6


def test_three_channels_and_other_sizes_will_do() -> None:
    assert Vgg(VggSettings(), shape=(3, 64, 96), classes=4)(torch.zeros(2, 3, 64, 96)).shape == (
        2,
        4,
    )


def test_an_image_too_small_for_its_pools_is_refused() -> None:
    with pytest.raises(ValueError, match="found features of 31 x 224, expected at least 32 x 32"):
        Vgg(VggSettings(), shape=(1, 31, 224), classes=2)
