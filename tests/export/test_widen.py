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
        self.model = nn.Sequential(
            conv, *behind, nn.Conv2d(conv.out_channels, 16, 3), nn.Flatten(), nn.LazyLinear(2)
        )

    def features(self, waveform: torch.Tensor) -> torch.Tensor:
        return waveform.reshape(-1, 1, 20, 50)


def int8_without_widening(
    stem: Stem, monkeypatch: pytest.MonkeyPatch
) -> tuple[onnx.ModelProto, Array]:
    with torch.no_grad():
        stem.model(torch.zeros(1, 1, 20, 50))
    traced = trace(stem.eval(), window_samples=1000)
    features = np.random.default_rng(0).standard_normal((4, 1, 20, 50)).astype(np.float32)
    ranges = observe(traced.model, (clip[None] for clip in features))
    monkeypatch.setattr("earlet_export.quantize.widen", lambda graph: graph)
    return quantize(traced.model, ranges), features


# Pictures of 20 x 50: the outputs are 50, 50, 48, 16, 22, 48 and 17 wide.
@pytest.mark.parametrize(
    ("conv", "behind", "neighbours"),
    [
        (nn.Conv2d(1, 16, 3, padding=1), [nn.ReLU()], 2),
        (nn.Conv2d(1, 16, 3, padding=1), [], 2),
        (nn.Conv2d(1, 24, 3), [nn.BatchNorm2d(24), nn.ReLU()], 4),
        (nn.Conv2d(1, 8, (5, 4), stride=(2, 3), padding=(2, 0)), [nn.ReLU()], 4),
        (nn.Conv2d(1, 8, (1, 7), stride=2, bias=False), [nn.ReLU()], 2),
        (nn.Conv2d(1, 8, (2, 3), bias=False), [], 4),
        (nn.Conv2d(1, 8, (5, 4), stride=(2, 3), padding=(2, 1)), [nn.ReLU()], 1),
    ],
    ids=["relu", "bare", "batch norm", "strides", "columns left over", "no bias", "odd width"],
)
def test_the_wide_convolution_gives_the_same_bits(
    conv: nn.Conv2d, behind: list[nn.Module], neighbours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    narrow, features = int8_without_widening(Stem(conv, behind), monkeypatch)
    wide = widen(narrow)
    onnx.checker.check_model(wide, full_check=True)
    kernels = [w.dims[0] for w in wide.graph.initializer if len(w.dims) == 4 and w.dims[1] == 1]
    assert kernels == [neighbours * conv.out_channels]
    alone, together = Runner.of(narrow), Runner.of(wide)
    np.testing.assert_array_equal(one_by_one(alone, features), one_by_one(together, features))
    np.testing.assert_array_equal(alone(features), together(features))


def test_a_convolution_of_several_channels_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stem = Stem(nn.Conv2d(1, 16, 3), [nn.ReLU()])
    narrow, _ = int8_without_widening(stem, monkeypatch)
    wide = widen(narrow)

    def kernels(graph: onnx.ModelProto) -> list[tuple[int, ...]]:
        return [tuple(w.dims) for w in graph.graph.initializer if len(w.dims) == 4]

    assert sorted(kernels(narrow)) == [(16, 1, 3, 3), (16, 16, 3, 3)]
    assert sorted(kernels(wide)) == [(16, 16, 3, 3), (64, 1, 3, 6)]
    assert kernels(widen(wide)) == kernels(wide), "wide enough"


def test_a_float_graph_is_left_as_it_is(traced: Traced) -> None:
    same = widen(traced.model)
    assert same.SerializeToString(deterministic=True) == traced.model.SerializeToString(
        deterministic=True
    )


def test_int8_graphs_are_wide_and_small(traced: Traced, waveforms: Array) -> None:
    features = one_by_one(Runner.of(traced.frontend), waveforms)
    int8 = quantize(traced.model, observe(traced.model, (clip[None] for clip in features)))
    narrow = next(w for w in traced.model.graph.initializer if len(w.dims) == 4)
    kernels = {
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
    wide = kernels[(4 * channels, 1, height, width + 3 * stride)]
    assert np.count_nonzero(wide) <= 4 * channels * height * width
