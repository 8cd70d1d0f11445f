import pytest
import torch
from torch import Tensor, nn

from earlet_train.models.cqcc_resnet import CqccResNet, CqccResNetSettings

PUBLISHED = (1, 90, 469)


def test_it_has_the_published_number_of_parameters() -> None:
    model = CqccResNet(CqccResNetSettings(), shape=PUBLISHED, classes=2)
    assert sum(p.numel() for p in model.parameters()) == 176_130


def test_the_maps_shrink_as_published() -> None:
    model = CqccResNet(CqccResNetSettings(), shape=PUBLISHED, classes=2).eval()
    sizes: list[tuple[int, int]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        sizes.append((output.shape[2], output.shape[3]))

    for block in model.blocks:
        block.register_forward_hook(note)
    model(torch.zeros(1, *PUBLISHED))
    assert sizes == [(90, 469), (90, 469), (30, 157), (10, 53), (4, 18), (2, 6)]


@pytest.mark.parametrize(("frames", "flat"), [(243, 32), (244, 64), (486, 64), (487, 96)])
def test_64_are_flattened_from_244_to_486_frames(frames: int, flat: int) -> None:
    model = CqccResNet(CqccResNetSettings(), shape=(1, 90, frames), classes=2).eval()
    assert model.hidden.in_features == flat
    assert model(torch.zeros(1, 1, 90, frames)).shape == (1, 2)
