import pytest
import torch

from earlet_train.models.dropout import Dropout


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_the_asked_share_is_dropped_and_the_mean_kept(p: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(4, 8, 50, 50)
    dropped = Dropout(p).train()(x)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    # 80,000 draws: five standard deviations are below 0.01.
    assert float((dropped == 0).float().mean()) == pytest.approx(p, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(1)
    kept = (Dropout(0.5).train()(torch.ones(100_000)) > 0).float() - 0.5
    for lag in (1, 8, 64):
        assert abs(float((kept[lag:] * kept[:-lag]).mean())) < 0.005


def test_nothing_is_dropped_in_eval() -> None:
    x = torch.randn(3, 5)
    assert torch.equal(Dropout(0.5).eval()(x), x)


def test_the_mask_follows_torchs_seed_and_the_gradient_the_mask() -> None:
    x = torch.randn(2, 3, 4, 5, requires_grad=True)
    layer = Dropout(0.5).train()
    torch.manual_seed(7)
    first = layer(x)
    torch.manual_seed(7)
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer(x), first)
    first.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.where(first == 0, 0.0, 2.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layout_and_type_stay(dtype: torch.dtype) -> None:
    x = torch.randn(2, 16, 9, 7).to(dtype=dtype, memory_format=torch.channels_last)
    dropped = Dropout(0.5).train()(x)
    assert dropped.dtype == dtype
    assert dropped.is_contiguous(memory_format=torch.channels_last)
