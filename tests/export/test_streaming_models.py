"""The models that have valid time edges, small: as a stream they answer what whole windows do."""

import dataclasses
import math

import numpy as np
import onnx
import pytest
import torch
from streams.nets import as_stream, windows_of
from torch import Tensor, nn

from earlet_export.passes.time_major import time_major
from earlet_export.quantize import annotated, finished, observe
from earlet_export.run import Runner
from earlet_export.streaming.plan import plan_model
from earlet_export.trace import trace
from earlet_train.models.lcnn import Lcnn, LcnnSettings
from earlet_train.models.model import Model
from earlet_train.models.res2net import Res2Net, Res2NetSettings

RES2NET = Res2NetSettings(
    blocks=(1, 2), channels=(8, 16), stem=8, base_width=64, time_edges="valid"
)
LCNN = LcnnSettings(lstms=0, time_edges="valid")
# Name -> the model, its picture, frames that its last layer moves on by.
MODELS: dict[str, tuple[type[Model], object, tuple[int, int, int], int]] = {
    "res2net": (Res2Net, RES2NET, (1, 16, 50), 2),
    "res2net of eight groups, odd sizes, by angles": (
        Res2Net,
        dataclasses.replace(RES2NET, blocks=(1, 1, 1), channels=(8, 8, 8), scale=8, head="angular"),
        (1, 13, 71),
        4,
    ),
    "lcnn": (Lcnn, LCNN, (1, 17, 133), 16),
    "lcnn, frequencies pooled last": (
        Lcnn,
        dataclasses.replace(LCNN, last_pool="frequency"),
        (1, 20, 126),
        8,
    ),
}


class Behind(nn.Module):
    """The model behind a frontend that only gives the samples the picture's shape."""

    def __init__(self, model: Model, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.model, self.shape = model, shape

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, *self.shape)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_valid_edges_streams_exactly_in_float_and_in_int8(name: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    kind, settings, shape, stride = MODELS[name]
    model = kind(settings, shape=shape, classes=2)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        model(torch.randn(4, *shape, generator=generator))
    network = Behind(model, shape).eval()
    graph = time_major(trace(network, window_samples=math.prod(shape)).model)
    assert turned_whole(graph)
    rng = np.random.default_rng(2)
    count, frames = 13, shape[2]
    sound = rng.standard_normal((1, *shape[:2], frames + 2 * count * stride)).astype(np.float32)
    windows = [sound[..., at : at + frames] for at in (0, 9, 30)]
    for exported in (graph, annotated(graph, observe(graph, windows))):
        plan = plan_model(exported)
        assert plan.stride == stride
        assert plan.obstacle is None
        answers = as_stream(exported, plan, sound, chunks=2)
        offline = Runner.of(finished(exported))
        wanted = windows_of(offline, plan, sound, frames=frames, chunks=2, count=len(answers))
        assert len(wanted) >= 4
        for q, window in wanted.items():
            np.testing.assert_allclose(answers[q], window, rtol=0, atol=5e-6)
        said = np.concatenate(list(wanted.values()))
        assert np.ptp(said, axis=0).max() > 1e-3, "windows that say the same prove nothing"


def turned_whole(graph: onnx.ModelProto) -> bool:
    """Whether the maps lie moment by moment, and none is turned back."""
    names = [output for node in graph.graph.node for output in node.output]
    return "features.turned" in names and not any(name.endswith(".back") for name in names)
