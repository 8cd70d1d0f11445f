import pytest
import torch
from torch import Tensor, nn

from earlet_train.models import MODELS
from earlet_train.models.model import Model
from earlet_train.models.narrow_cnn import NarrowCnn, NarrowCnnSettings
from earlet_train.models.spec_resnet import SpecResNet, SpecResNetSettings

SHAPE = (1, 64, 50)
PUBLISHED = (1, 1025, 126)


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest) -> Model:
    torch.manual_seed(0)
    kind = MODELS[request.param]
    return kind(kind.Settings(), shape=SHAPE, classes=3)


def pictures(batch: int) -> Tensor:
    return torch.randn(batch, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("batch", [1, 3])
def test_every_clip_gets_one_logit_per_label(model: Model, batch: int) -> None:
    assert model.eval()(pictures(batch)).shape == (batch, 3)


def test_the_answer_is_always_the_same_and_knows_no_neighbour(model: Model) -> None:
    model.eval()
    three = model(pictures(3))
    assert torch.equal(three, model(pictures(3)))
    torch.testing.assert_close(model(pictures(3)[:1]), three[:1], rtol=1e-4, atol=1e-5)


def test_the_gradient_reaches_the_first_layer(model: Model) -> None:
    model.train()(pictures(3)).square().sum().backward()
    first = next(model.parameters())
    assert first.grad is not None
    assert float(first.grad.abs().max()) > 0


def test_different_pictures_get_different_answers(model: Model) -> None:
    model.eval()
    difference = model(pictures(1)) - model(pictures(1) * 3 + 1)
    assert float(difference.detach().abs().max()) > 1e-4


def test_spec_resnet_has_the_published_number_of_parameters() -> None:
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
        network(pictures(3)).sum().backward()
        used[preact] = [p.grad is not None for n, p in network.named_parameters() if "before" in n]
    assert used[False] == [False] * 10
    assert used[True] == [True] * 10


def test_narrow_cnn_reads_any_length_but_one_height() -> None:
    network = NarrowCnn(NarrowCnnSettings(), shape=(1, 128, 397), classes=2).eval()
    assert network(torch.randn(2, 1, 128, 133)).shape == (2, 2)
    with pytest.raises(RuntimeError):
        network(torch.randn(2, 1, 64, 397))


def test_narrow_cnn_is_small_and_made_of_what_int8_runs() -> None:
    network = NarrowCnn(NarrowCnnSettings(), shape=(1, 128, 397), classes=2)
    assert parameters(network) == 109_682
    layers = [m for m in network.modules() if not list(m.children())]
    fine = nn.Conv2d | nn.BatchNorm2d | nn.ReLU | nn.Dropout | nn.Linear
    assert all(isinstance(layer, fine) for layer in layers)
    assert all(m.out_channels % 16 == 0 for m in layers if isinstance(m, nn.Conv2d))
    # Every norm follows a convolution, so that it folds into it.
    for norm in (i for i, m in enumerate(layers) if isinstance(m, nn.BatchNorm2d)):
        assert isinstance(layers[norm - 1], nn.Conv2d)


def test_narrow_cnn_needs_about_20_million_products_per_second_of_sound() -> None:
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


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_spec_resnet_learns_in_bfloat16_as_it_does_in_float32() -> None:
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
