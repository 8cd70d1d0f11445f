import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from earlet.errors import RecipeError
from earlet_export.quantize import observe, quantize
from earlet_export.run import Runner
from earlet_export.trace import Traced, trace
from earlet_train.models.angular import AngularLinear
from earlet_train.models.fusion import ChannelView, Fusion
from earlet_train.models.res2net import Block, FirstBlock, Res2Net, Res2NetSettings
from earlet_train.tables import build

SE = Res2NetSettings(se=16)
BASE = Res2NetSettings(blocks=(2, 2, 2, 2), scale=8)
MPIF = Res2NetSettings(blocks=(2, 2, 2, 2), scale=8, fusion="views", head="angular")
SMALL = (1, 45, 36)


def made(settings: Res2NetSettings, shape: tuple[int, int, int] = SMALL) -> Res2Net:
    torch.manual_seed(0)
    return Res2Net(settings, shape=shape, classes=2)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (Res2NetSettings(), 883_806),
        (SE, 923_102),
        (Res2NetSettings(base_width=14, scale=8), 807_441),
        (Res2NetSettings(scale=8), 1_831_326),
        (BASE, 1_003_884),
        (Res2NetSettings(fusion="views"), 950_716),
        (Res2NetSettings(blocks=(2, 2, 2, 2), scale=8, fusion="views"), 1_114_896),
        (MPIF, 1_114_894),
    ],
)
def test_the_published_number_of_parameters(settings: Res2NetSettings, count: int) -> None:
    assert parameters(made(settings)) == count


@pytest.mark.parametrize(
    ("settings", "shape", "billions"),
    [
        (Res2NetSettings(), (1, 257, 400), 5.49),
        (Res2NetSettings(), (1, 60, 400), 1.28),
        (BASE, (1, 45, 600), 1.61),
    ],
)
def test_the_published_number_of_multiplications(
    settings: Res2NetSettings, shape: tuple[int, int, int], billions: float
) -> None:
    products = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal products
        if isinstance(module, nn.Conv2d | nn.Linear):
            products += output[0].numel() * module.weight[0].numel()

    with torch.device("meta"):
        network = Res2Net(settings, shape=shape, classes=2)
        for module in network.modules():
            module.register_forward_hook(count)
        network(torch.zeros(1, *shape))
    assert round(products / 1e9, 2) == billions


def block_by_hand(block: Block, x: Tensor, *, scale: int) -> Tensor:
    """One clip [V, F, N], equation by equation: y_i = K_i(x_i + M(y_(i-1))), y_S = x_S."""
    enter = block.enter
    h = norm_relu(enter[1], F.conv2d(x[None], weight(enter[0])))
    w = h.shape[1] // scale
    parts = [h[:, i * w : (i + 1) * w] for i in range(scale)]
    first = isinstance(block, FirstBlock)
    stride = 2 if first else 1
    y: list[Tensor] = []
    for i in range(scale - 1):
        given = parts[i]
        if i > 0 and not first:
            given = given + block.links[i - 1](y[i - 1])
        k = block.groups[i]
        assert isinstance(k, nn.Sequential)
        y.append(norm_relu(k[1], F.conv2d(given, weight(k[0]), stride=stride, padding=1)))
    last = F.avg_pool2d(parts[-1], 3, stride=stride, padding=1) if first else parts[-1]
    out = norm(block.leave[1], F.conv2d(torch.cat([*y, last], dim=1), weight(block.leave[0])))
    if isinstance(block.excite, ChannelView):
        first_layer, second_layer = block.excite.layers[0], block.excite.layers[2]
        mean = out.mean(dim=(2, 3))[0]
        hidden = torch.relu(weight(first_layer)[:, :, 0, 0] @ mean)
        out = out * torch.sigmoid(weight(second_layer)[:, :, 0, 0] @ hidden)[None, :, None, None]
    shortcut = x[None]
    if isinstance(block, FirstBlock):
        shortcut = norm(
            block.narrow[2],
            F.conv2d(averaged(shortcut, stride), weight(block.narrow[1])),
        )
    return torch.relu(out + shortcut)[0]


def weight(module: nn.Module) -> Tensor:
    assert isinstance(module, nn.Conv2d)
    return module.weight


def norm(module: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(module, nn.BatchNorm2d)
    assert module.running_mean is not None
    assert module.running_var is not None
    over = (None, slice(None), None, None)
    scaled = (x - module.running_mean[over]) / torch.sqrt(module.running_var[over] + module.eps)
    return scaled * module.weight[over] + module.bias[over]


def norm_relu(module: nn.Module, x: Tensor) -> Tensor:
    return torch.relu(norm(module, x))


def averaged(x: Tensor, stride: int) -> Tensor:
    """Means of stride x stride places; at an odd end of what is there."""
    bins, frames = (math.ceil(size / stride) for size in x.shape[2:])
    out = x.new_zeros(*x.shape[:2], bins, frames)
    for i in range(bins):
        for j in range(frames):
            patch = x[:, :, i * stride : (i + 1) * stride, j * stride : (j + 1) * stride]
            out[:, :, i, j] = patch.mean(dim=(2, 3))
    return out


@pytest.mark.parametrize("fusion", ["none", "views", "receptive", "depthwise", "gate"])
@pytest.mark.parametrize("first", [True, False])
def test_a_block_is_its_equations(fusion: Fusion, first: bool) -> None:
    torch.manual_seed(2)
    settings = Res2NetSettings(fusion=fusion, se=16)
    block = (FirstBlock(settings, 24, 32, stride=2) if first else Block(settings, 64, 32)).double()
    learn(block, torch.randn(6, 24 if first else 64, 9, 11, dtype=torch.float64))
    x = torch.randn(3, 24 if first else 64, 9, 11, dtype=torch.float64)
    found = block(x)
    assert found.shape == ((3, 64, 5, 6) if first else (3, 64, 9, 11))
    for clip, answer in zip(x, found, strict=True):
        torch.testing.assert_close(answer, block_by_hand(block, clip, scale=4), atol=1e-10, rtol=0)


def learn(module: nn.Module, x: Tensor) -> None:
    """Norms with statistics and weights that are not those of a fresh one; then eval."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.3, 0.3)
    module.train()
    with torch.no_grad():
        for _ in range(5):
            module(x)
    module.eval()


def test_stages_halve_and_any_length_will_do() -> None:
    network = made(Res2NetSettings()).eval()
    sizes = []
    x = network.stem(torch.randn(1, *SMALL))
    for stage in network.stages:
        x = stage(x)
        sizes.append(tuple(x.shape[1:]))
    assert sizes == [(32, 45, 36), (64, 23, 18), (128, 12, 9), (256, 6, 5)]
    assert network.embedding(torch.randn(2, 1, 20, 70)).shape == (2, 256)


@pytest.mark.parametrize("settings", [SE, MPIF])
def test_the_gradient_reaches_everything_that_is_used(settings: Res2NetSettings) -> None:
    """Not the links in a stage's first block: its groups do not see each other."""
    network = made(settings)
    network(torch.randn(2, 1, 24, 24)).square().sum().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None]
    unused = [
        f"{name}.{parameter}"
        for name, block in network.named_modules()
        if isinstance(block, FirstBlock)
        for parameter, _ in block.named_parameters()
        if parameter.startswith("links.")
    ]
    assert without == unused
    assert bool(unused) == (settings.fusion == "views")
    first = next(network.parameters()).grad
    assert first is not None
    assert float(first.abs().max()) > 0


@pytest.mark.parametrize(("first", "stride"), [(True, 1), (True, 2), (False, 1)])
def test_valid_edges_change_only_what_padding_had_a_part_in(first: bool, stride: int) -> None:
    """The groups, what is added and what is joined lie over the same moments as with zeros."""
    torch.manual_seed(3)
    zeros, valid = (
        FirstBlock(settings, 24, 16, stride=stride) if first else Block(settings, 32, 16)
        for settings in (Res2NetSettings(), Res2NetSettings(time_edges="valid"))
    )
    learn(zeros, torch.randn(6, 24 if first else 32, 9, 26))
    valid.load_state_dict(zeros.state_dict())
    valid.eval()
    for frames in (26, 27):
        x = torch.randn(2, 24 if first else 32, 9, frames)
        with torch.no_grad():
            found = valid(x)
            padded = zeros(x[..., 1:] if first else x)
        if first:
            # The first 3x3 lies around moment 1; only padding reached the outermost column.
            count = (frames - 3) // stride + 1
            assert found.shape[3] == count
            torch.testing.assert_close(found[..., 1:], padded[..., 1:count])
            assert not torch.allclose(found[..., 0], padded[..., 0])
        else:
            torch.testing.assert_close(found, padded[..., 3:-3])


def test_with_valid_edges_a_moment_is_the_same_in_every_window_that_holds_it() -> None:
    settings = Res2NetSettings(blocks=(1, 2, 1), channels=(8, 8, 16), time_edges="valid")
    network = made(settings, (1, 13, 60)).eval()
    x = torch.randn(1, 1, 13, 72)
    with torch.no_grad():
        early, late = (network.stages(network.stem(part)) for part in (x[..., :60], x[..., 12:]))
    torch.testing.assert_close(early[..., 3:], late[..., :-3], atol=1e-5, rtol=0)
    assert early.shape[3] == settings.frames_left(60) == 9
    assert network(x).shape == (1, 2)


def test_valid_edges_that_leave_no_frame_are_refused() -> None:
    settings = Res2NetSettings(blocks=(1, 2), channels=(8, 8), scale=8, time_edges="valid")
    # Backwards from one: + 14 in a block of eight groups, 2 n + 1, + 2, + 6.
    assert made(settings, (1, 13, 39)).eval()(torch.zeros(1, 1, 13, 39)).shape == (1, 2)
    with pytest.raises(ValueError, match="found 38 frames, of which convolutions without padding"):
        made(settings, (1, 13, 38))


def test_the_angular_head_measures_the_embedding() -> None:
    network = made(MPIF).eval()
    assert isinstance(network.output, AngularLinear)
    features = torch.randn(2, *SMALL)
    embedding = network.embedding(features)
    assert embedding.shape == (2, 256)
    cosines = F.cosine_similarity(embedding[:, None], network.output.weight[None], dim=2)
    expected = cosines * embedding.norm(dim=1, keepdim=True)
    torch.testing.assert_close(network(features), expected, atol=1e-5, rtol=1e-5)


def test_mpif_says_that_it_is_a_reconstruction_and_res2net_does_not() -> None:
    assert "reconstruction" in made(MPIF).note
    assert made(BASE).note == ""


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"blocks": [2, 2]}, "equally long"),
        ({"base_width": 3}, "without a channel"),
        ({"se": 64}, "squeezes 32 channels to none"),
        ({"scale": 1}, "greater than or equal to 2"),
        ({"fusion": "mpif"}, "'none', 'views'"),
        ({"time_edges": "valid", "fusion": "gate"}, "look at the whole window"),
        ({"time_edges": "valid", "se": 16}, "look at the whole window"),
    ],
)
def test_impossible_settings_are_refused(table: dict[str, object], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        build(Res2NetSettings, table, source="r.toml", where="[model]")


class Behind(nn.Module):
    """The model behind a frontend that only gives the samples the picture's shape."""

    def __init__(self, model: Res2Net) -> None:
        super().__init__()
        self.model = model

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, *SMALL)


def traced(network: Res2Net) -> Traced:
    return trace(Behind(network).eval(), window_samples=math.prod(SMALL))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(Res2NetSettings(blocks=(1, 2), channels=(16, 32)), id="small res2net"),
        pytest.param(
            Res2NetSettings(blocks=(1, 2), channels=(16, 32), fusion="views", head="angular"),
            id="small mpif",
        ),
    ],
)
def test_the_exported_graph_gives_the_same_logits_and_all_its_convolutions_become_int8(
    settings: Res2NetSettings,
) -> None:
    network, x = made(settings), torch.randn(3, *SMALL)
    learn(network, x)
    graph = traced(network).model
    with torch.no_grad():
        exact = network(x).numpy()
    for batch in (1, 3):
        np.testing.assert_allclose(Runner.of(graph)(x[:batch].numpy()), exact[:batch], atol=1e-4)
    kinds = {node.op_type for node in graph.graph.node}
    assert "BatchNormalization" not in kinds
    assert not kinds & {"ReduceL2", "Div"}, "the directions of the labels are not folded"
    int8 = quantize(graph, observe(graph, [clip[None].numpy() for clip in x]))
    integers = {n.output[0] for n in int8.graph.node if n.op_type == "DequantizeLinear"}
    floats = [
        node.name
        for node in int8.graph.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] not in integers
    ]
    assert len(floats) == 1, "only the layer that makes the logits"
    assert floats[0] in {n.name for n in graph.graph.node if n.op_type in ("Gemm", "MatMul")}
    moved = np.abs(Runner.of(int8)(x.numpy()) - exact).max()
    # Weights that learned nothing, noise for sound, 50 layers: rounding is not a small part of it.
    assert 0 < moved < 0.35 * np.abs(exact).max() + 0.02
