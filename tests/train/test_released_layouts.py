"""AASIST-L as its authors' code names it, its network written out once more beside ours."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from earlet.errors import BundleError, RecipeError
from earlet_train.models.aasist import Aasist, AasistSettings
from earlet_train.released_weights import load_released

Weights = dict[str, Tensor]

SHAPE = (1, 23, 8000)
LABELS = ("bonafide", "spoof")


def test_released_aasist_weights_answer_as_the_published_network_does(tmp_path: Path) -> None:
    stored = published_weights()
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    trained = sum(v.numel() for n, v in stored.items() if not n.endswith(statistics))
    assert trained == 85_306
    torch.save(stored, tmp_path / "AASIST-L.pth")
    model = Aasist(AasistSettings(), shape=SHAPE, classes=2)
    loaded = load_released(tmp_path / "AASIST-L.pth", model, labels=LABELS)
    assert (loaded.left, loaded.fresh) == ((), ())
    x = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = model.eval()(x), published(stored, x)
    torch.testing.assert_close(ours[:, [1, 0]], theirs, rtol=1e-4, atol=1e-4)
    assert float((theirs[0] - theirs[1]).abs().max()) > 1e-2


def test_preactivation_that_never_trained_and_other_sizes_are_refused(tmp_path: Path) -> None:
    torch.save(published_weights(), tmp_path / "AASIST-L.pth")
    with pytest.raises(RecipeError, match="preact = false"):
        load_released(
            tmp_path / "AASIST-L.pth",
            Aasist(AasistSettings(preact=True), shape=SHAPE, classes=2),
            labels=LABELS,
        )
    larger = AasistSettings(channels=(32, 32, 64, 64), graph=(64, 32), pools=(0.5, 0.7, 0.5))
    with pytest.raises(BundleError, match=r"'pos_S' has the shape \[1, 23, 24\].*\[1, 23, 64\]"):
        load_released(
            tmp_path / "AASIST-L.pth", Aasist(larger, shape=SHAPE, classes=2), labels=LABELS
        )


def published_weights() -> Weights:
    """Random tensors under the published names and of the published shapes."""
    draw = torch.Generator().manual_seed(3)
    w: Weights = {}

    def tensor(name: str, *shape: int, scale: float = 1.0) -> None:
        w[name] = torch.randn(shape, generator=draw) * scale

    def linear(name: str, *shape: int) -> None:
        tensor(f"{name}.weight", *shape, scale=torch.Size(shape[1:]).numel() ** -0.5)
        tensor(f"{name}.bias", shape[0], scale=0.1)

    def norm(name: str, width: int) -> None:
        w[f"{name}.weight"] = 1 + 0.3 * torch.randn(width, generator=draw)
        tensor(f"{name}.bias", width, scale=0.2)
        tensor(f"{name}.running_mean", width, scale=0.2)
        w[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=draw)
        w[f"{name}.num_batches_tracked"] = torch.tensor(1000)

    tensor("pos_S", 1, 23, 24)
    tensor("master1", 1, 1, 24)
    tensor("master2", 1, 1, 24)
    norm("first_bn", 1)
    widths = (1, 32, 32, 24, 24, 24, 24)
    for i, (width, wider) in enumerate(pairwise(widths)):
        place = f"encoder.{i}.0"
        if i:
            norm(f"{place}.bn1", width)
        linear(f"{place}.conv1", wider, width, 2, 3)
        norm(f"{place}.bn2", wider)
        linear(f"{place}.conv2", wider, wider, 2, 3)
        if width != wider:
            linear(f"{place}.conv_downsample", wider, width, 1, 3)
    for graph in ("GAT_layer_S", "GAT_layer_T"):
        tensor(f"{graph}.att_weight", 24, 1)
        for name in ("att_proj", "proj_with_att", "proj_without_att"):
            linear(f"{graph}.{name}", 24, 24)
        norm(f"{graph}.bn", 24)
    for number, width in (("11", 24), ("12", 32), ("21", 24), ("22", 32)):
        graph = f"HtrgGAT_layer_ST{number}"
        for name in ("att_weight11", "att_weight22", "att_weight12", "att_weightM"):
            # So strong that attention is far from even at the published temperature of 100.
            tensor(f"{graph}.{name}", 32, 1, scale=50.0)
        for name in ("proj_type1", "proj_type2"):
            linear(f"{graph}.{name}", width, width)
        for name in ("att_proj", "att_projM", "proj_with_att", "proj_without_att"):
            linear(f"{graph}.{name}", 32, width)
        for name in ("proj_with_attM", "proj_without_attM"):
            linear(f"{graph}.{name}", 32, width)
        norm(f"{graph}.bn", 32)
    for name, width in {
        "pool_S": 24, "pool_T": 24, "pool_hS1": 32, "pool_hT1": 32, "pool_hS2": 32, "pool_hT2": 32,
    }.items():  # fmt: skip
        linear(f"{name}.proj", 1, width)
        w[f"{name}.proj.weight"] *= 0.05  # so that no score is so near one that two are equal
    linear("out_layer", 2, 160)
    return w


def published(w: Weights, x: Tensor) -> Tensor:
    """Features [B, 1, 23, N] -> logits [B, 2], spoof first, by the published description."""
    x = F.selu(norm(w, "first_bn", x))
    for i in range(6):
        place = f"encoder.{i}.0"
        inner = F.selu(norm(w, f"{place}.bn2", conv(w, f"{place}.conv1", x, (1, 1))))
        if f"{place}.conv_downsample.weight" in w:
            x = conv(w, f"{place}.conv_downsample", x, (0, 1))
        x = F.max_pool2d(conv(w, f"{place}.conv2", inner, (0, 1)) + x, (1, 3))
    s = pooled(w, "pool_S", attended(w, "GAT_layer_S", time_max(x) + w["pos_S"], 0, 2.0), 0.4)
    t = pooled(w, "pool_T", attended(w, "GAT_layer_T", time_max(x.transpose(2, 3)), 0, 2.0), 0.5)
    branches = []
    for b in ("1", "2"):
        (t1, s1), m1 = both(w, f"HtrgGAT_layer_ST{b}1", t, s, w[f"master{b}"])
        s1, t1 = pooled(w, f"pool_hS{b}", s1, 0.7), pooled(w, f"pool_hT{b}", t1, 0.7)
        (t2, s2), m2 = both(w, f"HtrgGAT_layer_ST{b}2", t1, s1, m1)
        branches.append((t1 + t2, s1 + s2, m1 + m2))
    t, s, m = (torch.stack(pair).amax(0) for pair in zip(*branches, strict=True))
    last = [t.abs().amax(1), t.mean(1), s.abs().amax(1), s.mean(1), m[:, 0]]
    return linear_of(w, "out_layer", torch.cat(last, 1))


def conv(w: Weights, name: str, x: Tensor, padding: tuple[int, int]) -> Tensor:
    return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=padding)


def norm(w: Weights, name: str, x: Tensor) -> Tensor:
    mean, var = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, w[f"{name}.weight"], w[f"{name}.bias"])


def linear_of(w: Weights, name: str, x: Tensor) -> Tensor:
    return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])


def time_max(x: Tensor) -> Tensor:
    """[B, W, F, N] -> [B, F, W], the largest magnitude along the last axis."""
    return x.abs().amax(3).permute(0, 2, 1)


def attended(w: Weights, name: str, x: Tensor, firsts: int, temperature: float) -> Tensor:
    """Nodes [B, D, V] -> [B, D, W]; `firsts`: how many of them are of the first of two kinds."""
    pairs = torch.tanh(linear_of(w, f"{name}.att_proj", torch.einsum("biv,bjv->bijv", x, x)))
    of_pair = torch.empty(x.shape[1], x.shape[1], pairs.shape[3])
    for i in range(x.shape[1]):
        for j in range(x.shape[1]):
            kinds = "12" if (i < firsts) != (j < firsts) else "11" if i < firsts else "22"
            of_pair[i, j] = w[f"{name}.att_weight{kinds if firsts else ''}"][:, 0]
    attention = (torch.einsum("bijw,ijw->bij", pairs, of_pair) / temperature).softmax(2)
    x = linear_of(w, f"{name}.proj_with_att", attention @ x) + linear_of(
        w, f"{name}.proj_without_att", x
    )
    return F.selu(norm(w, f"{name}.bn", x.flatten(0, 1)).reshape(x.shape))


def both(
    w: Weights, name: str, t: Tensor, s: Tensor, master: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """T and S nodes and the master node -> the same, one layer on."""
    kinds = [linear_of(w, f"{name}.proj_type1", t), linear_of(w, f"{name}.proj_type2", s)]
    x = torch.cat(kinds, 1)
    strength = torch.tanh(linear_of(w, f"{name}.att_projM", x * master)) @ w[f"{name}.att_weightM"]
    mean = ((strength / 100).softmax(1) * x).sum(1, keepdim=True)
    master = linear_of(w, f"{name}.proj_with_attM", mean) + linear_of(
        w, f"{name}.proj_without_attM", master
    )
    x = attended(w, name, x, t.shape[1], 100.0)
    return (x[:, : t.shape[1]], x[:, t.shape[1] :]), master


def pooled(w: Weights, name: str, x: Tensor, keep: float) -> Tensor:
    """The best-scored share of the nodes, each times its score, the best first."""
    scores = torch.sigmoid(linear_of(w, f"{name}.proj", x))[..., 0]
    count = int(x.shape[1] * keep)
    clips = []
    for clip, own in zip(x, scores, strict=True):
        best = sorted(range(len(own)), key=lambda i: -float(own[i]))[:count]
        clips.append(torch.stack([clip[i] * own[i] for i in best]))
    return torch.stack(clips)
