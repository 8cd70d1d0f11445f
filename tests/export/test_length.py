"""Graphs whose length stays open: traced, proven at several lengths, written, and refused."""

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet.errors import ParityError, UsageError
from earlet_export.calibrate import observe
from earlet_export.join import join
from earlet_export.lengths import lengths_to_try, open_from, shortest
from earlet_export.macs import layer_macs
from earlet_export.quantize import quantize
from earlet_export.run import Runner
from earlet_export.trace import Traced, trace
from earlet_train.network import Network, build_network, numpy_logits
from earlet_train.recipe import parse_recipe

Array = NDArray[np.float32]
T, SHORTEST = 8_000, 4_000

# One small network for each way in which time may go through a graph: strides, a recurrence both
# ways, groups that look at each other, nodes of which the best are kept, patches of time.
OPEN = {
    "narrow-cnn on bands": """
[frontend]
kind = "bands"
bands = 64
[model]
kind = "narrow-cnn"
channels = [16, 16, 32]
""",
    "lcnn on lfcc": """
[frontend]
kind = "lfcc"
[model]
kind = "lcnn"
lstms = 1
""",
    "res2net on log-mel, DFT folded": """
[frontend]
kind = "log-mel"
n_fft = 440
window_samples = 440
hop_samples = 147
mels = 24
range_db = 80.0
[model]
kind = "res2net"
blocks = [1, 1]
channels = [16, 16]
se = 8
""",
    "resnet50 on mfcc, DFT as it is defined": """
[frontend]
kind = "mfcc"
n_fft = 511
window_samples = 511
hop_samples = 64
mels = 40
[model]
kind = "resnet50"
blocks = [1, 1, 1, 1]
channels = 8
""",
    "aasist on sinc": """
[frontend]
kind = "sinc"
filters = 24
[model]
kind = "aasist"
channels = [8, 8, 8, 8]
graph = [8, 8]
""",
    "clstm behind relevance in patches": """
[frontend]
kind = "cosine-gauss"
filters = 8
frame_samples = 512
hop_samples = 100
taps = 101
[adapter]
kind = "relevance"
form = "usc"
[model]
kind = "clstm"
channels = 4
hidden = 8
layers = 1
""",
    "fcn behind relevance": """
[frontend]
kind = "cosine-gauss"
filters = 16
frame_samples = 512
hop_samples = 128
taps = 101
form = "exact"
[adapter]
kind = "relevance"
[model]
kind = "fcn"
width = 8
""",
}

LONG = ("aasist", "clstm", "resnet50")

FIXED = {
    "the flattened map": (
        """
[frontend]
kind = "spectrogram"
n_fft = 256
hop_samples = 128
[model]
kind = "spec-resnet"
channels = 8
blocks = 3
hidden = 16
""",
        r"model: its linear layer reads the flattened map, .* average over time before it",
    ),
    "a picture's width": (
        """
[frontend]
kind = "waveform-image"
size = 32
[model]
kind = "resnet50"
blocks = [1, 1, 1, 1]
channels = 8
""",
        r"frontend: every clip is drawn over the same 32 columns",
    ),
    "a number of frames": (
        """
[frontend]
kind = "log-power"
frames = 64
[model]
kind = "res2net"
blocks = [1, 1]
channels = [16, 16]
""",
        r"frontend: frames = 64 repeats a short clip .* set it to 0",
    ),
    "frames dealt out": (
        """
[frontend]
kind = "log-mel"
mels = 64
[adapter]
kind = "diffres"
[model]
kind = "narrow-cnn"
""",
        r"adapter: the adapter makes 25 frames of exactly 51: leave \[adapter\] out",
    ),
    "the clip's own spectrum": (
        """
[frontend]
kind = "cqcc"
clip_samples = 8000
octaves = 5
[model]
kind = "narrow-cnn"
channels = [16, 16]
""",
        r"frontend: cqcc transforms the whole clip .* tables made for clip_samples = 8000",
    ),
}


def made(tables: str) -> Network:
    """A network with fresh weights and batch statistics of noise."""
    text = f"""
name = "small"
version = "1"
description = "For the tests."
[data]
window_samples = {T}
hop_samples = {T // 2}
min_samples = {SHORTEST}
{tables}
[training]
epochs = 1
"""
    torch.manual_seed(2)
    network = build_network(parse_recipe(text, source="tests")).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, T) * 0.1)
    return network.eval()


def noise(samples: int, batch: int = 3) -> Array:
    rng = np.random.default_rng(samples)
    gain = np.array([0.001, 0.1, 0.5])[:batch, None]
    made: Array = (rng.standard_normal((batch, samples)) * gain).astype(np.float32)
    return made


@dataclasses.dataclass(frozen=True, kw_only=True)
class Opened:
    """A network, its graphs of open length, and those of one length."""

    network: Network
    traced: Traced
    fixed: Traced

    @property
    def least(self) -> int:
        assert self.traced.open_from_samples is not None
        return self.traced.open_from_samples


@pytest.fixture(
    scope="module",
    params=[
        # These take the longest to trace by far.
        pytest.param(name, marks=pytest.mark.slow if name.startswith(LONG) else ())
        for name in sorted(OPEN)
    ],
)
def opened(request: pytest.FixtureRequest) -> Opened:
    network = made(OPEN[request.param])
    least = open_from(network, min_samples=SHORTEST, window_samples=T)
    # The fixed one first: what torch remembers of it must not fix the other.
    fixed = trace(network, window_samples=T)
    traced = trace(network, window_samples=T, open_from_samples=least)
    return Opened(network=network, traced=traced, fixed=fixed)


def test_fp32_answers_as_pytorch_does_at_every_length(opened: Opened) -> None:
    traced = opened.traced
    fp32, frontend = Runner.of(join(traced.frontend, traced.model)), Runner.of(traced.frontend)
    original = numpy_logits(opened.network)
    for samples in (opened.least, SHORTEST + 1237, T - 1, T, 3 * T + 1):
        for asked in (noise(samples, 1), noise(samples)):
            with torch.no_grad():
                features = opened.network.features(torch.from_numpy(asked)).numpy()
            # dB of quiet bins
            np.testing.assert_allclose(frontend(asked), features, rtol=1e-4, atol=2e-3)
            np.testing.assert_allclose(fp32(asked), original(asked), rtol=1e-4, atol=2e-4)


def test_int8_runs_at_every_length_and_follows(opened: Opened) -> None:
    traced = opened.traced
    frontend = Runner.of(traced.frontend)
    ranges = observe(traced.model, (frontend(wave[None]) for wave in noise(T)))
    int8 = Runner.of(join(traced.frontend, quantize(traced.model, ranges)))
    for samples in (opened.least, T, 2 * T + 1001):
        asked = noise(samples)
        answer, wanted = int8(asked), numpy_logits(opened.network)(asked)
        assert np.isfinite(answer).all()
        assert np.abs(answer - wanted).max() <= 0.25 * np.abs(wanted).max() + 0.2


def test_the_work_of_a_window_is_counted_as_in_the_graph_of_one_length(opened: Opened) -> None:
    assert layer_macs(opened.traced.counted_model) == layer_macs(opened.fixed.model) != {}
    assert opened.fixed.counted_model is opened.fixed.model


def test_the_graphs_name_what_is_open(opened: Opened) -> None:
    traced = opened.traced
    assert sizes(traced.frontend.graph.input[0]) == ["B", "T"]
    assert sizes(traced.frontend.graph.output[0])[-1] == "N"
    assert sizes(traced.model.graph.input[0])[-1] == "N"
    joined = join(traced.frontend, traced.model)
    assert sizes(joined.graph.input[0]) == ["B", "T"]
    assert sizes(joined.graph.output[0])[0] == "B"


def test_no_batch_norm_stays_that_is_folded_at_one_length(opened: Opened) -> None:
    left = [
        sum(node.op_type == "BatchNormalization" for node in traced.model.graph.node)
        for traced in (opened.traced, opened.fixed)
    ]
    assert left[0] == left[1]


@pytest.mark.parametrize("what", sorted(FIXED))
def test_what_fixes_the_length_is_named_with_part_reason_and_remedy(what: str) -> None:
    tables, words = FIXED[what]
    with pytest.raises(UsageError, match=words) as caught:
        open_from(made(tables), min_samples=SHORTEST, window_samples=T)
    assert "windows of 8000 samples and no other length" in str(caught.value)
    assert "--length window" in str(caught.value)


class Unsaid(nn.Module):
    """Blocks of 80 samples, their power, and a layer on all of them; nothing says that it is so."""

    def __init__(self, *, flattened: bool) -> None:
        super().__init__()
        self.model: nn.Module = nn.Sequential(nn.Flatten(), nn.Linear(T // 80, 2))
        if not flattened:
            self.model = Counted()

    def features(self, waveform: Tensor) -> Tensor:
        whole = waveform[:, : waveform.shape[1] // 80 * 80]
        power = whole.reshape(waveform.shape[0], 1, -1, 80).square().mean(dim=3)
        return torch.log(torch.clamp(power, min=1e-10))[:, :, None]


class Counted(nn.Module):
    """A mean over as many frames as `len` says, which is a fixed number to the exporter."""

    def forward(self, features: Tensor) -> Tensor:
        frames = len(features[0, 0, 0])
        return features.sum(dim=(2, 3)) / frames @ torch.ones(1, 2)


def test_a_layer_on_a_flattened_map_is_found_though_nothing_says_so() -> None:
    with pytest.raises(
        ParityError, match=r"the model of this network takes 100 frames, and 50 not"
    ):
        trace(Unsaid(flattened=True).eval(), window_samples=T, open_from_samples=SHORTEST)


def test_a_size_that_became_a_constant_is_found_though_torch_takes_any_length() -> None:
    with pytest.raises(ParityError, match=r"the model .* somewhere its code fixes the length"):
        trace(Unsaid(flattened=False).eval(), window_samples=T, open_from_samples=SHORTEST)


def test_the_shortest_is_what_the_recipe_says_or_the_least_that_runs() -> None:
    network = made(OPEN["fcn behind relevance"])
    assert shortest(network, at_least=SHORTEST, at_most=T) == SHORTEST
    least = shortest(network, at_least=300, at_most=T)
    assert network(torch.zeros(1, least)).shape == (1, 2)
    with pytest.raises((RuntimeError, ValueError)):
        network(torch.zeros(1, least - 1))


def test_odd_lengths_are_odd_and_none_is_below_the_shortest() -> None:
    for least, window in ((4_000, 8_000), (7_999, 8_000), (1, 31)):
        tried = lengths_to_try(least, window)
        assert min(tried.values()) == least
        assert tried["one window"] == window
        assert tried["odd"] % 2 == 1
        assert max(tried.values()) > 3 * window


def sizes(value: onnx.ValueInfoProto) -> list[str | int]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
