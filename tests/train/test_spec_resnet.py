import torch
from torch import nn

from earlet_train.models.spec_resnet import SpecResNet, SpecResNetSettings

SHAPE = (1, 64, 50)
PUBLISHED = (1, 1025, 126)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_it_has_the_published_number_of_parameters() -> None:
    for thin in ("stride", "pool"):
        settings = SpecResNetSettings(thin=thin)
        assert parameters(SpecResNet(settings, shape=PUBLISHED, classes=2)) == 176_130


def test_both_plans_of_thinning_flatten_to_64() -> None:
    for thin in ("stride", "pool"):
        settings = SpecResNetSettings(thin=thin)
        network = SpecResNet(settings, shape=PUBLISHED, classes=2).eval()
        assert network.hidden.in_features == 64
        assert network(torch.randn(1, *PUBLISHED)).shape == (1, 2)


def test_preactivation_is_used_only_where_it_is_asked_for() -> None:
    """The released weights have untouched norms there: the published code never used them."""
    used = {}
    for preact in (False, True):
        network = SpecResNet(SpecResNetSettings(preact=preact), shape=SHAPE, classes=2)
        network(torch.randn(3, *SHAPE)).sum().backward()
        used[preact] = [p.grad is not None for n, p in network.named_parameters() if "before" in n]
    assert used[False] == [False] * 10
    assert used[True] == [True] * 10


def test_it_learns_in_bfloat16_as_it_does_in_float32() -> None:
    """oneDNN's bfloat16 weight gradients are garbage on the smallest maps: those stay float32."""
    torch.manual_seed(0)
    model = SpecResNet(SpecResNetSettings(dropout=0.0), shape=(1, 121, 27), classes=2)
    features = torch.randn(4, 1, 121, 27)
    labels = torch.tensor([0, 1, 0, 1])
    gradients = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            logits = model(features)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    for name, exact in gradients[0].items():
        rounded = gradients[1][name]
        assert bool(torch.isfinite(rounded).all()), name
        # bfloat16 has 8 significant bits: far from exact, but no orders of magnitude off.
        assert float((rounded - exact).norm()) <= 0.5 * float(exact.norm()) + 1e-2, name
