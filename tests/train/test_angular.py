import pytest
import torch

from earlet_train.models.angular import AngularLinear


@pytest.fixture
def head() -> AngularLinear:
    torch.manual_seed(0)
    return AngularLinear(16, 3)


def test_a_logit_is_the_length_of_the_embedding_times_the_cosine_of_its_angle(
    head: AngularLinear,
) -> None:
    x = torch.randn(5, 16, dtype=torch.float64)
    found = head.double()(x).detach()
    for b in range(5):
        for k in range(3):
            w = head.weight[k].detach()
            cosine = torch.dot(x[b], w) / (x[b].norm() * w.norm())
            assert float(found[b, k]) == pytest.approx(float(x[b].norm() * cosine), abs=1e-12)


def test_only_the_direction_of_a_label_counts(head: AngularLinear) -> None:
    x = torch.randn(4, 16)
    before = head(x)
    with torch.no_grad():
        head.weight *= torch.tensor([[0.01], [1.0], [100.0]])
    torch.testing.assert_close(head(x), before)


def test_no_logit_is_longer_than_the_embedding_and_none_is_moved_by_a_bias(
    head: AngularLinear,
) -> None:
    x = torch.randn(50, 16)
    assert bool((head(x).abs() <= x.norm(dim=1, keepdim=True) * (1 + 1e-6)).all())
    assert torch.equal(head(torch.zeros(1, 16)), torch.zeros(1, 3))
    assert sum(p.numel() for p in head.parameters()) == 48


def test_the_gradient_turns_a_label_and_does_not_stretch_it(head: AngularLinear) -> None:
    head(torch.randn(4, 16)).square().sum().backward()
    assert head.weight.grad is not None
    assert float(head.weight.grad.norm()) > 0.1
    along = (head.weight.grad * head.weight).sum(dim=1)
    torch.testing.assert_close(along, torch.zeros(3), atol=1e-5, rtol=0)
