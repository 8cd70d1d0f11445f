import pytest
import torch
from torch import Tensor, nn

from earlet_train.models.mfcc_resnet import MfccResNet, MfccResNetSettings

PUBLISHED = (1, 72, 126)


def test_it_has_the_published_number_of_parameters_and_flattens_to_480() -> None:
    model = MfccResNet(MfccResNetSettings(), shape=PUBLISHED, classes=2)
    assert sum(p.numel() for p in model.parameters()) == 312_994
    assert model.hidden.in_features == 480


def test_the_maps_shrink_after_every_third_block_as_published() -> None:
    model = MfccResNet(MfccResNetSettings(), shape=PUBLISHED, classes=2).eval()
    sizes: list[tuple[int, int]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        sizes.append((output.shape[2], output.shape[3]))

    for block in model.blocks:
        block.register_forward_hook(note)
    model(torch.zeros(1, *PUBLISHED))
    assert sizes == [(72, 126)] * 3 + [(24, 42)] * 3 + [(8, 14)] * 3


def test_preactivation_costs_no_parameters_and_changes_the_answer() -> None:
    models = []
    for preact in (False, True):
        torch.manual_seed(0)
        settings = MfccResNetSettings(preact=preact)
        models.append(MfccResNet(settings, shape=PUBLISHED, classes=2).eval())
    assert models[0].state_dict().keys() == models[1].state_dict().keys()
    x = torch.randn(1, *PUBLISHED)
    assert not torch.allclose(models[0](x), models[1](x))


@pytest.mark.parametrize("pools", [(3, 3), (6, 3), (3, 10)])
def test_pools_behind_blocks_that_are_not_there_are_refused(pools: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rising numbers from 1 to 9"):
        MfccResNetSettings(pools=pools)
