from collections.abc import Sequence

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from earlet_export.calibrate import observe
from earlet_export.quantize import quantize
from earlet_export.run import Runner, one_by_one
from earlet_export.trace import Traced, trace
from earlet_export.widen import widen

Array = NDArray[np.float32]


class Stem(nn.Module):
    """Features of a picture as they come, and a small network on them that begins with `conv`."""

    def __init__(self, conv: nn.Conv2d, behind: Sequence[nn.Module]) -> None:
        super().__init__()
        self.channels = conv.in_channels
        self.model = nn.Sequential(
            conv, *behind, nn.Conv2d(conv.out_channels, 16, 3), nn.Flatten(), nn.LazyLinear(2)
        )

    def features(self, waveform: torch.Tensor) -> torch.Tensor:
        return waveform.reshape(-1, self.channels, 20, 50)


def int8_without_widening(
    stem: Stem, monkeypatch: pytest.MonkeyPatch
) -> tuple[onnx.ModelProto, Array]:
    size = (stem.channels, 20, 50)
    with torch.no_grad():
        stem.model(torch.zeros(1, *size))
    traced = trace(stem.eval(), window_samples=int(np.prod(size)))
    features = np.random.default_rng(0).standard_normal((4, *size)).astype(np.float32)
    ranges = observe(traced.model, (clip[None] for clip in features))
    monkeypatch.setattr("earlet_export.quantize.widen", lambda graph: graph)
    return quantize(traced.model, ranges), features


def kernels(model: onnx.ModelProto) -> list[tuple[int, ...]]:
    return sorted(tuple(w.dims) for w in model.graph.initializer if len(w.dims) == 4)


# Pictures of 20 x 50: the outputs are 50, 50, 48, 16, 22, 48, 17, 50 and 22 wide.
@pytest.mark.parametrize(
    ("conv", "behind", "kernel"),
    [
        (nn.Conv2d(1, 16, 3, padding=1), [nn.ReLU()], (64, 4, 3, 2)),
        (nn.Conv2d(1, 16, 3, padding=1), [], (64, 4, 3, 2)),
        (nn.Conv2d(1, 24, 3), [nn.BatchNorm2d(24), nn.ReLU()], (96, 4, 3, 2)),
        (nn.Conv2d(1, 8, (5, 4), stride=(2, 3), padding=(2, 0)), [nn.ReLU()], (32, 12, 5, 2)),
        (nn.Conv2d(1, 8, (1, 7), stride=2, bias=False), [nn.ReLU()], (16, 4, 1, 3)),
        (nn.Conv2d(1, 8, (2, 3), bias=False), [], (32, 4, 2, 2)),
        (nn.Conv2d(1, 8, (5, 4), stride=(2, 3), padding=(2, 1)), [nn.ReLU()], (32, 12, 5, 2)),
        (nn.Conv2d(2, 16, 3, padding=1), [nn.ReLU()], (64, 8, 3, 2)),
        (nn.Conv2d(3, 8, 7, stride=2, padding=(3, 0)), [nn.ReLU()], (16, 12, 7, 3)),
    ],
    ids=[
        "relu",
        "bare",
        "batch norm",
        "strides, columns unread",
        "no bias",
        "no padding",
        "odd width",
        "two channels",
        "three channels",
    ],
)
def test_the_wide_convolution_gives_the_same_bits(
    conv: nn.Conv2d,
    behind: list[nn.Module],
    kernel: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    narrow, features = int8_without_widening(Stem(conv, behind), monkeypatch)
    wide = widen(narrow)
    onnx.checker.check_model(wide, full_check=True)
    assert kernel in kernels(wide)
    alone, together = Runner.of(narrow), Runner.of(wide)
    np.testing.assert_array_equal(one_by_one(alone, features), one_by_one(together, features))
    np.testing.assert_array_equal(alone(features), together(features))


def test_a_convolution_of_several_channels_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stem = Stem(nn.Conv2d(1, 16, 3), [nn.ReLU()])
    narrow, _ = int8_without_widening(stem, monkeypatch)
    wide = widen(narrow)
    assert kernels(narrow) == [(16, 1, 3, 3), (16, 16, 3, 3)]
    assert kernels(wide) == [(16, 16, 3, 3), (64, 4, 3, 2)]
    assert kernels(widen(wide)) == kernels(wide), "wide enough"


def test_long_strides_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    stem = Stem(nn.Conv2d(1, 16, (3, 10), stride=(1, 5)), [nn.ReLU()])
    narrow, _ = int8_without_widening(stem, monkeypatch)
    assert kernels(widen(narrow)) == kernels(narrow)


def test_a_float_graph_is_left_as_it_is(traced: Traced) -> None:
    same = widen(traced.model)
    assert same.SerializeToString(deterministic=True) == traced.model.SerializeToString(
        deterministic=True
    )


def test_int8_graphs_are_wide_and_small(traced: Traced, waveforms: Array) -> None:
    features = one_by_one(Runner.of(traced.frontend), waveforms)
    int8 = quantize(traced.model, observe(traced.model, (clip[None] for clip in features)))
    narrow = next(w for w in traced.model.graph.initializer if len(w.dims) == 4)
    weights = {
        tuple(w.dims): numpy_helper.to_array(w) for w in int8.graph.initializer if len(w.dims) == 4
    }
    channels, _, height, width = narrow.dims
    stride = next(
        a.ints[1]
        for n in traced.model.graph.node
        if n.op_type == "Conv"
        for a in n.attribute
        if a.name == "strides"
    )
    together = 4 // stride
    blocks = -(-((together - 1) * stride + width) // 4)
    wide = weights[(together * channels, 4, height, blocks)]
    assert np.count_nonzero(wide) <= together * channels * height * width
