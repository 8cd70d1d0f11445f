import pytest
import torch
from torch import Tensor, nn

from earlet_train.frontends.sinc import Sinc, SincSettings
from earlet_train.models.aasist import Aasist, AasistSettings
from earlet_train.models.graph_attention import GraphAttention, GraphPool

LARGE = AasistSettings(channels=(32, 32, 64, 64), graph=(64, 32), pools=(0.5, 0.7, 0.5))


@pytest.mark.parametrize(("settings", "parameters"), [(AasistSettings(), 85_306), (LARGE, 297_866)])
def test_it_has_the_published_number_of_parameters(
    settings: AasistSettings, parameters: int
) -> None:
    model = Aasist(settings, shape=(1, 23, 21_490), classes=2)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_the_frontend_gives_the_published_picture() -> None:
    frontend = Sinc(SincSettings(), sample_rate_hz=16_000)
    assert frontend(torch.zeros(1, 64_600)).shape == (1, 1, 23, 21_490)


def test_the_maps_shrink_as_in_the_table() -> None:
    model = Aasist(AasistSettings(), shape=(1, 23, 21_490), classes=2).eval()
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> None:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            shapes[name] = tuple(output.shape[1:])

        model.get_submodule(name).register_forward_hook(hook)

    for name in ("blocks.5", "pool_s", "pool_t", "branches.0.pool_s", "branches.1.pool_t"):
        note(name)
    with torch.no_grad():
        assert model.embedding(torch.rand(1, 1, 23, 21_490)).shape == (1, 160)
    assert shapes == {
        "blocks.5": (24, 23, 29),
        "pool_s": (9, 24),
        "pool_t": (14, 24),
        "branches.0.pool_s": (6, 32),
        "branches.1.pool_t": (9, 32),
    }


def test_attention_treats_nodes_alike_whatever_their_order() -> None:
    torch.manual_seed(0)
    attention = GraphAttention(4, 6, temperature=2.0).eval()
    nodes, order = torch.randn(2, 5, 4), [3, 1, 4, 0, 2]
    torch.testing.assert_close(attention(nodes[:, order]), attention(nodes)[:, order])


def test_a_pool_keeps_the_best_nodes_and_weighs_them_by_their_score() -> None:
    pool = GraphPool(1, keep=0.5).eval()
    with torch.no_grad():
        pool.score.weight.fill_(1.0)
        pool.score.bias.zero_()
    kept = pool(torch.tensor([[[0.0], [3.0], [-1.0], [1.0]]]))
    expected = torch.tensor([3.0, 1.0]) * torch.sigmoid(torch.tensor([3.0, 1.0]))
    torch.testing.assert_close(kept.flatten(), expected)


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found features of 728 frames, expected at least 729"):
        Aasist(AasistSettings(), shape=(1, 23, 728), classes=2)
