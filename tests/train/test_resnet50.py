import pytest
import torch
from torch import Tensor, nn

from earlet_train.models.resnet50 import ResNet50, ResNet50Settings


@pytest.mark.parametrize(
    ("channels", "classes", "parameters"),
    # The published network has 25,557,032 for three channels and ImageNet's 1000 classes.
    [(3, 1000, 25_557_032), (3, 2, 23_512_130), (1, 2, 23_505_858)],
)
def test_it_has_the_published_number_of_parameters(
    channels: int, classes: int, parameters: int
) -> None:
    model = ResNet50(ResNet50Settings(), shape=(channels, 224, 224), classes=classes)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_it_needs_4_1_gmac_and_halves_the_image_five_times() -> None:
    products = 0
    smallest = torch.Size()

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal products, smallest
        if isinstance(module, nn.Conv2d | nn.Linear):
            products += output[0].numel() * module.weight[0].numel()
        if output.ndim == 4:
            smallest = output.shape

    model = ResNet50(ResNet50Settings(), shape=(3, 224, 224), classes=2).eval()
    for module in model.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        model(torch.zeros(1, 3, 224, 224))
    assert round(products / 1e9, 1) == 4.1
    assert smallest == (1, 2048, 7, 7)


def test_the_stride_is_in_the_middle_convolution() -> None:
    """Version 1.5: the one whose weights are everywhere."""
    model = ResNet50(ResNet50Settings(), shape=(3, 224, 224), classes=2)
    strided = [name for name, m in model.named_modules() if getattr(m, "stride", 0) == (2, 2)]
    assert [name for name in strided if name.startswith("layer")] == [
        f"layer{n}.0.{part}" for n in (2, 3, 4) for part in ("conv2", "downsample.0")
    ]


def test_modules_bear_the_names_that_published_weights_have() -> None:
    names = set(ResNet50(ResNet50Settings(), shape=(3, 64, 64), classes=2).state_dict())
    assert {
        "conv1.weight",
        "bn1.running_mean",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.bias",
        "layer3.5.conv3.weight",
        "layer4.2.bn3.num_batches_tracked",
        "output.weight",
    } <= names
    assert len(names) == 320  # as many as torchvision's file holds


def test_any_size_and_number_of_channels_will_do() -> None:
    small = ResNet50Settings(blocks=(1, 1, 1, 1), channels=8)
    model = ResNet50(small, shape=(1, 224, 224), classes=2).eval()
    assert model(torch.zeros(2, 1, 100, 37)).shape == (2, 2)
