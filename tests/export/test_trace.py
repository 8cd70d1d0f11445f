import logging
import warnings
from typing import Literal

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet.errors import ParityError, UsageError
from earlet_export.run import Runner
from earlet_export.trace import Traced, trace
from earlet_train.network import Network

Array = NDArray[np.float32]
T = 8_000


class Blocks(nn.Module):
    """Sound in blocks of 80 samples, the log of their power, one linear layer."""

    def __init__(self, *, floor: Literal["clamp", "add"] = "clamp") -> None:
        super().__init__()
        self.floor = floor
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(T // 80, 2))

    def features(self, waveform: Tensor) -> Tensor:
        power = waveform.reshape(waveform.shape[0], 1, 80, -1).square().mean(dim=2, keepdim=True)
        if self.floor == "add":
            return torch.log(power + 1e-10)
        return torch.log(torch.clamp(power, min=1e-10))


def test_the_two_graphs_equal_the_network_at_the_seam_and_at_the_end(
    residual: Network, residual_traced: Traced, waveforms: Array
) -> None:
    traced = residual_traced
    with torch.no_grad():
        features = residual.features(torch.from_numpy(waveforms)).numpy()
        logits = residual(torch.from_numpy(waveforms)).numpy()
    found = Runner.of(traced.frontend)(waveforms)
    np.testing.assert_allclose(found, features, atol=1e-3)  # dB of quiet bins
    np.testing.assert_allclose(Runner.of(traced.model)(found), logits, atol=2e-5)


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_the_batch_stays_open(traced: Traced, waveforms: Array, batch: int) -> None:
    features = Runner.of(traced.frontend)(waveforms[:batch])
    assert Runner.of(traced.model)(features).shape == (batch, 2)


def test_the_same_network_gives_the_same_bytes(network: Network, traced: Traced) -> None:
    again = trace(network, window_samples=T)
    assert _bytes(again.frontend) == _bytes(traced.frontend)
    assert _bytes(again.model) == _bytes(traced.model)


def test_names_say_the_part_and_the_module_and_nothing_else_is_left_inside(
    traced: Traced,
) -> None:
    for graph, part in ((traced.frontend, "frontend"), (traced.model, "model")):
        ends = {"waveform", "features", "logits", ""}
        nodes = graph.graph.node
        assert all(node.name.startswith(f"{part}/") for node in nodes)
        assert len({node.name for node in nodes}) == len(nodes)
        tensors = {name for node in nodes for name in (*node.input, *node.output)} - ends
        assert all(name.startswith(f"{part}/") for name in tensors)
        assert b"File " not in _bytes(graph), "a stack trace names the folders of this machine"
        assert not graph.producer_version
    assert "model/body.0/Conv" in {node.name for node in traced.model.graph.node}


def test_batch_norm_is_folded_into_the_convolution_before_it(
    network: Network, traced: Traced
) -> None:
    assert any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    assert "BatchNormalization" not in {node.op_type for node in traced.model.graph.node}


def test_a_frontend_without_a_floor_under_its_logarithm_is_refused() -> None:
    # The trap itself: the exporter's optimizer deletes the addition of 1e-10.
    with pytest.raises(ParityError, match="logarithm without a floor"):
        trace(Blocks(floor="add").eval(), window_samples=T)


def test_silence_stays_finite_where_the_floor_is_a_clamp() -> None:
    traced = trace(Blocks().eval(), window_samples=T)
    features = Runner.of(traced.frontend)(np.zeros((1, T), dtype=np.float32))
    np.testing.assert_allclose(features, np.log(np.float32(1e-10)), rtol=1e-6)


def test_a_network_in_training_mode_is_refused() -> None:
    with pytest.raises(UsageError, match=r"network\.eval\(\)"):
        trace(Blocks().train(), window_samples=T)


def test_a_network_that_fixes_the_batch_is_refused_with_the_part_that_does() -> None:
    class Fixed(Blocks):
        def features(self, waveform: Tensor) -> Tensor:
            return super().features(waveform).reshape(2, 1, 1, -1)

    with pytest.raises(ParityError, match=r"the frontend .* does not take a batch of 1"):
        trace(Fixed().eval(), window_samples=T)


def test_nothing_is_printed_logged_or_warned(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.WARNING):
        warnings.simplefilter("always")
        trace(Blocks().eval(), window_samples=T)
    assert (*capfd.readouterr(), caplog.text, caught) == ("", "", "", [])


def _bytes(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString(deterministic=True)
    return content
