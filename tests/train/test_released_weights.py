"""The released files cannot be had here: the tests write files as their authors' code would.

Names and shapes are the published ones; the networks behind them are written out once more below,
as functions of those tensors, so that equal outputs prove that every tensor found its place.
"""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earlet.errors import BundleError, RecipeError
from earlet_train.models.lcnn import Lcnn, LcnnSettings
from earlet_train.models.mfcc_resnet import MfccResNet, MfccResNetSettings
from earlet_train.models.narrow_cnn import NarrowCnn, NarrowCnnSettings
from earlet_train.models.resnet50 import ResNet50, ResNet50Settings
from earlet_train.models.spec_resnet import SpecResNet, SpecResNetSettings
from earlet_train.released_weights import load_released

Weights = dict[str, Tensor]

SPEC, MFCC, LFCC = (1, 1025, 126), (1, 72, 126), (1, 60, 100)
LABELS = ("bonafide", "spoof")
RAN_IN_SPEC = (1, 3, 5, 7, 9, 11)
RAN_IN_MFCC = tuple(range(1, 10))


def test_released_spec_weights_answer_as_the_published_network_does(tmp_path: Path) -> None:
    stored = uclanesl(blocks=11, ran=RAN_IN_SPEC, flat=64)
    assert trained_numbers(stored) == 315_490
    model = spec()
    loaded = load_released(saved(tmp_path, stored), model, labels=LABELS)
    x = torch.randn(2, *SPEC, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = model.eval()(x).log_softmax(1), published_spec(stored, x)
    torch.testing.assert_close(ours[:, [1, 0]], theirs, rtol=1e-4, atol=1e-4)
    assert float(theirs.std()) > 1e-2
    assert {name.split(".")[0] for name in loaded.left} == {f"block{n}" for n in (2, 4, 6, 8, 10)}
    # Each of the twelve norms keeps 32 means, 32 variances and a counter beside its weights.
    assert loaded.numbers == 176_130 + 12 * 65


def test_the_pooled_plan_of_february_2019_takes_the_same_weights(tmp_path: Path) -> None:
    stored = uclanesl(blocks=11, ran=RAN_IN_SPEC, flat=64)
    model = SpecResNet(SpecResNetSettings(thin="pool"), shape=SPEC, classes=2)
    load_released(saved(tmp_path, stored), model, labels=LABELS)
    x = torch.randn(1, *SPEC, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = model.eval()(x).log_softmax(1)
        theirs = published(stored, x, ran=RAN_IN_SPEC, pools=RAN_IN_SPEC)
    torch.testing.assert_close(ours[:, [1, 0]], theirs, rtol=1e-4, atol=1e-4)


def test_released_mfcc_weights_answer_as_the_published_network_does(tmp_path: Path) -> None:
    stored = uclanesl(blocks=9, ran=RAN_IN_MFCC, flat=480)
    assert trained_numbers(stored) == 312_994
    model = mfcc()
    loaded = load_released(saved(tmp_path, stored), model, labels=LABELS)
    x = torch.randn(2, *MFCC, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = model.eval()(x).log_softmax(1)
        theirs = published(stored, x, ran=RAN_IN_MFCC, pools=(3, 6, 9))
    torch.testing.assert_close(ours[:, [1, 0]], theirs, rtol=1e-4, atol=1e-4)
    assert (loaded.left, loaded.fresh) == ((), ())


def test_the_outputs_follow_the_order_of_the_labels(tmp_path: Path) -> None:
    file = saved(tmp_path, uclanesl(blocks=9, ran=RAN_IN_MFCC, flat=480))
    x = torch.randn(1, *MFCC, generator=torch.Generator().manual_seed(1))
    logits = {}
    for labels in (LABELS, LABELS[::-1]):
        model = mfcc().eval()
        load_released(file, model, labels=labels)
        logits[labels] = model(x).detach()
    torch.testing.assert_close(logits[LABELS], logits[LABELS[::-1]].flip(1))
    with pytest.raises(RecipeError, match=r"spoof from bonafide.*human"):
        load_released(file, mfcc(), labels=("human", "spoof"))


def test_blocks_are_counted_off_where_an_old_file_counted_no_batches(tmp_path: Path) -> None:
    stored = uclanesl(blocks=11, ran=RAN_IN_SPEC, flat=64)
    old = {name: value for name, value in stored.items() if "num_batches" not in name}
    new, aged = spec().eval(), spec().eval()
    load_released(saved(tmp_path, stored), new, labels=LABELS)
    load_released(saved(tmp_path, old), aged, labels=LABELS)
    x = torch.randn(1, *SPEC)
    torch.testing.assert_close(new(x), aged(x), rtol=0, atol=0)


@pytest.mark.parametrize("wrapper", ["model", "state_dict", "module.", "old format", "safetensors"])
def test_weights_are_found_however_they_were_saved(tmp_path: Path, wrapper: str) -> None:
    stored = uclanesl(blocks=9, ran=RAN_IN_MFCC, flat=480)
    path = tmp_path / "weights.pth"
    if wrapper == "module.":
        torch.save({f"module.{name}": value for name, value in stored.items()}, path)
    elif wrapper == "old format":
        torch.save(stored, path, _use_new_zipfile_serialization=False)
    elif wrapper == "safetensors":
        path = tmp_path / "weights.safetensors"
        safetensors.torch.save_file(stored, path)
    else:
        torch.save({wrapper: stored, "epoch": 99}, path)
    model = mfcc()
    assert load_released(path, model, labels=LABELS).left == ()
    assert torch.equal(model.stem.weight, stored["conv1.weight"])


def test_weights_of_another_network_are_refused_by_the_first_tensor_that_does_not_fit(
    tmp_path: Path,
) -> None:
    before = mfcc()
    after = mfcc()
    after.load_state_dict(before.state_dict())
    with pytest.raises(BundleError, match=r"'fc1.weight' has the shape \[128, 512\].*\[128, 480\]"):
        load_released(
            saved(tmp_path, uclanesl(blocks=9, ran=RAN_IN_MFCC, flat=512)), after, labels=LABELS
        )
    assert all(
        torch.equal(p, q) for p, q in zip(before.parameters(), after.parameters(), strict=True)
    ), "a refused file must leave the model as it was"
    with pytest.raises(BundleError, match=r"6 residual blocks were trained in it; expected 9"):
        load_released(
            saved(tmp_path, uclanesl(blocks=11, ran=RAN_IN_SPEC, flat=64)), mfcc(), labels=LABELS
        )
    headless = uclanesl(blocks=9, ran=RAN_IN_MFCC, flat=480)
    del headless["block4.conv2.bias"]
    with pytest.raises(BundleError, match=r"no tensor 'block4.conv2.bias'.*blocks.3.main.4.bias"):
        load_released(saved(tmp_path, headless), mfcc(), labels=LABELS)


def test_weights_trained_without_preactivation_are_not_run_with_it(tmp_path: Path) -> None:
    file = saved(tmp_path, uclanesl(blocks=11, ran=RAN_IN_SPEC, flat=64))
    model = SpecResNet(SpecResNetSettings(preact=True), shape=SPEC, classes=2)
    with pytest.raises(RecipeError, match="preact = false"):
        load_released(file, model, labels=LABELS)


def test_a_file_without_weights_or_with_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no file"):
        load_released(tmp_path / "absent.pth", mfcc(), labels=LABELS)
    noise = tmp_path / "noise.pth"
    noise.write_bytes(b"<html>404</html>")
    with pytest.raises(BundleError, match="not a file of weights"):
        load_released(noise, mfcc(), labels=LABELS)
    whole = tmp_path / "whole.pth"
    torch.save(nn.Linear(2, 2), whole)
    with pytest.raises(BundleError, match="whole pickled model"):
        load_released(whole, mfcc(), labels=LABELS)
    empty = tmp_path / "empty.pth"
    torch.save({"epoch": 3}, empty)
    with pytest.raises(BundleError, match="no table of tensors"):
        load_released(empty, mfcc(), labels=LABELS)


def test_a_model_that_nobody_released_is_refused(tmp_path: Path) -> None:
    model = NarrowCnn(NarrowCnnSettings(), shape=(1, 64, 50), classes=2)
    with pytest.raises(RecipeError, match=r"NarrowCnn.*ResidualNetwork"):
        load_released(
            saved(tmp_path, uclanesl(blocks=9, ran=RAN_IN_MFCC, flat=480)), model, labels=LABELS
        )


def test_released_lcnn_weights_answer_as_the_published_network_does(tmp_path: Path) -> None:
    stored = baseline_2021()
    assert trained_numbers(stored) == 269_729
    model = Lcnn(LcnnSettings(), shape=LFCC, classes=2)
    loaded = load_released(
        saved(tmp_path, stored | {"input_mean": torch.zeros(1)}), model, labels=LABELS
    )
    x = torch.randn(2, *LFCC, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        bonafide, spoof = model.eval()(x).unbind(1)
        log_odds = published_lcnn(stored, x)
    torch.testing.assert_close(bonafide - spoof, log_odds, rtol=1e-4, atol=1e-5)
    assert float((log_odds[0] - log_odds[1]).abs()) > 1e-3
    assert loaded.left == ("input_mean",)
    without = Lcnn(LcnnSettings(lstms=0), shape=LFCC, classes=2)
    with pytest.raises(BundleError, match="2 LSTMs were trained in it; expected 0"):
        load_released(saved(tmp_path, stored), without, labels=LABELS)


def test_imagenet_weights_load_but_for_the_last_layer(tmp_path: Path) -> None:
    """ImageNet's 1000 classes are none of ours; a grey image's three channels are one."""
    torch.manual_seed(0)
    settings = ResNet50Settings(blocks=(1, 1, 1, 1), channels=8)
    source = ResNet50(settings, shape=(3, 64, 64), classes=1000)
    stored = {name.replace("output.", "fc."): value for name, value in source.state_dict().items()}
    x = torch.randn(2, 1, 64, 64)
    for channels in (3, 1):
        model = ResNet50(settings, shape=(channels, 64, 64), classes=2)
        loaded = load_released(saved(tmp_path, stored), model, labels=("a", "b"))
        assert set(loaded.left) == {"fc.weight", "fc.bias"}
        assert set(loaded.fresh) == {"output.weight", "output.bias"}
        ours = model.eval().embedding(x.expand(2, channels, 64, 64))
        theirs = source.eval().embedding(x.expand(2, 3, 64, 64))
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def spec() -> SpecResNet:
    return SpecResNet(SpecResNetSettings(), shape=SPEC, classes=2)


def mfcc() -> MfccResNet:
    return MfccResNet(MfccResNetSettings(), shape=MFCC, classes=2)


def saved(folder: Path, weights: Weights) -> Path:
    path = folder / "released.pth"
    torch.save(weights, path)
    return path


def trained_numbers(weights: Weights) -> int:
    not_trained = ("running_mean", "running_var", "num_batches_tracked")
    return sum(value.numel() for name, value in weights.items() if not name.endswith(not_trained))


def uclanesl(*, blocks: int, ran: tuple[int, ...], flat: int) -> Weights:
    """Random tensors under the names of the published file, with statistics that matter."""
    draw = torch.Generator().manual_seed(7)
    weights: Weights = {}
    linear(weights, "conv1", (32, 1, 3, 3), draw)
    for number in range(1, blocks + 1):
        name, steps = f"block{number}", 79_400 if number in ran else 0
        linear(weights, f"{name}.conv1", (32, 32, 3, 3), draw)
        norm(weights, f"{name}.bn1", 32, draw, steps=steps)
        linear(weights, f"{name}.conv2", (32, 32, 3, 3), draw)
        linear(weights, f"{name}.conv11", (32, 32, 3, 3), draw)
        if number > 1:
            norm(weights, f"{name}.pre_bn", 32, draw, steps=steps)
    norm(weights, "bn", 32, draw, steps=79_400)
    linear(weights, "fc1", (128, flat), draw)
    linear(weights, "fc2", (2, 128), draw)
    return weights


def baseline_2021() -> Weights:
    draw = torch.Generator().manual_seed(7)
    weights: Weights = {}
    convolutions: dict[int, tuple[int, int, int]] = {
        0: (64, 1, 5), 3: (64, 32, 1), 6: (96, 32, 3), 10: (96, 48, 1), 13: (128, 48, 3),
        16: (128, 64, 1), 19: (64, 64, 3), 22: (64, 32, 1), 25: (64, 32, 3),
    }  # fmt: skip
    for place, (wider, width, size) in convolutions.items():
        linear(weights, f"m_transform.0.{place}", (wider, width, size, size), draw)
    for place, width in {5: 32, 9: 48, 12: 48, 18: 64, 21: 32, 24: 32}.items():
        norm(weights, f"m_transform.0.{place}", width, draw, steps=1000)
        del weights[f"m_transform.0.{place}.weight"], weights[f"m_transform.0.{place}.bias"]
    for layer in range(2):
        lstm = nn.LSTM(96, 48, bidirectional=True)
        for name, value in lstm.state_dict().items():
            drawn = torch.randn(value.shape, generator=draw) * 0.15
            weights[f"m_before_pooling.0.{layer}.l_blstm.{name}"] = drawn
    linear(weights, "m_output_act.0", (1, 96), draw)
    return weights


def linear(weights: Weights, name: str, shape: tuple[int, ...], draw: torch.Generator) -> None:
    fan_in = torch.Size(shape[1:]).numel()
    weights[f"{name}.weight"] = torch.randn(shape, generator=draw) / fan_in**0.5
    weights[f"{name}.bias"] = torch.randn(shape[0], generator=draw) * 0.1


def norm(weights: Weights, name: str, width: int, draw: torch.Generator, *, steps: int) -> None:
    weights[f"{name}.weight"] = 1 + 0.3 * torch.randn(width, generator=draw)
    weights[f"{name}.bias"] = 0.2 * torch.randn(width, generator=draw)
    weights[f"{name}.running_mean"] = 0.2 * torch.randn(width, generator=draw)
    weights[f"{name}.running_var"] = 0.5 + torch.rand(width, generator=draw)
    weights[f"{name}.num_batches_tracked"] = torch.tensor(steps)


def published_spec(w: Weights, x: Tensor) -> Tensor:
    return published(w, x, ran=RAN_IN_SPEC, stride=3)


def published(
    w: Weights, x: Tensor, *, ran: tuple[int, ...], stride: int = 1, pools: tuple[int, ...] = ()
) -> Tensor:
    """Features [B, 1, F, N] -> log-probabilities [B, 2], spoof first, by the published description.

    The pool that follows the last block stands behind the batch norm and its leaky ReLU.
    """
    x = conv(w, "conv1", x)
    for number in ran:
        name = f"block{number}"
        inner = F.leaky_relu(batch_norm(w, f"{name}.bn1", conv(w, f"{name}.conv1", x)), 0.01)
        x = conv(w, f"{name}.conv2", inner, stride) + conv(w, f"{name}.conv11", x, stride)
        if number in pools and number != ran[-1]:
            x = F.max_pool2d(x, 3, 3, 1)
    x = F.leaky_relu(batch_norm(w, "bn", x), 0.01)
    if ran[-1] in pools:
        x = F.max_pool2d(x, 3, 3, 1)
    x = F.leaky_relu(F.linear(x.flatten(1), w["fc1.weight"], w["fc1.bias"]), 0.01)
    return F.linear(x, w["fc2.weight"], w["fc2.bias"]).log_softmax(1)


def conv(w: Weights, name: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, w[f"{name}.bias"], stride, weight.shape[-1] // 2)


def batch_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    mean, var = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, w.get(f"{name}.weight"), w.get(f"{name}.bias"))


def published_lcnn(w: Weights, x: Tensor) -> Tensor:
    """Features [B, 1, F, N] -> log-odds of bona fide [B]; inside, time comes before frequency."""
    x = x.transpose(2, 3)
    rows: Any = (
        (0, True, None), (3, False, 5), (6, True, 9), (10, False, 12), (13, True, None),
        (16, False, 18), (19, False, 21), (22, False, 24), (25, True, None),
    )  # fmt: skip
    for place, pooled, normed in rows:
        x = conv(w, f"m_transform.0.{place}", x)
        x = torch.maximum(x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :])
        if pooled:
            x = F.max_pool2d(x, 2)
        if normed is not None:
            x = batch_norm(w, f"m_transform.0.{normed}", x)
    frames = x.permute(0, 2, 1, 3).flatten(2)
    y = frames
    for layer in range(2):
        lstm = nn.LSTM(96, 48, bidirectional=True)
        prefix = f"m_before_pooling.0.{layer}.l_blstm."
        lstm.load_state_dict({n: w[prefix + n] for n in lstm.state_dict()})
        y = lstm(y.transpose(0, 1))[0].transpose(0, 1)
    mean = (y + frames).mean(dim=1)
    return F.linear(mean, w["m_output_act.0.weight"], w["m_output_act.0.bias"])[:, 0]
