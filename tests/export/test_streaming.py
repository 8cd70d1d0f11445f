"""A stream made of any network says, window by window, what the network says."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from streams import nets
from torch import nn

from earlet_export.quantize import annotated, finished, observe
from earlet_export.run import Runner
from earlet_export.streaming.plan import plan_model

Array = NDArray[np.float32]

FRAMES = 48
HEADS = ("mean", "mean+std", "max", "attention", "flat")
BLOCKS = (
    *("conv", "strided", "dilated", "max pool", "average pool", "residual"),
    *("branches", "gate", "slope", "moments"),
)


def body(blocks: list[str], *, seed: int) -> nn.Module:
    """The blocks in a row, their sizes drawn from the seed."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    width = nets.CHANNELS
    for name in blocks:
        kernel = int(rng.integers(1, 4))
        wider = int(rng.choice([3, 4, 8]))
        bins = nn.Sequential(*layers).eval()(torch.zeros(1, nets.CHANNELS, nets.BINS, 60)).shape[2]
        if name == "conv":
            layers += [
                nn.Conv2d(width, wider, (3, kernel), padding=(1, 0)),
                nn.BatchNorm2d(wider),
                nn.LeakyReLU(0.1),
            ]
            width = wider
        elif name == "strided":
            stride = int(rng.integers(2, 4))
            layers += [nn.Conv2d(width, wider, (1, kernel), stride=(1, stride)), nn.ReLU()]
            width = wider
        elif name == "dilated":
            layers += [nn.Conv2d(width, width, (1, 3), dilation=(1, 2)), nn.PReLU(width)]
        elif name == "max pool":
            layers.append(nn.MaxPool2d((1, kernel), stride=(1, 2)))
        elif name == "average pool":
            layers.append(nn.AvgPool2d((1, 2), stride=(1, 1)))
        elif name == "residual":
            layers.append(nets.Residual(width, kernel=kernel, dilation=1, activation=nn.Tanh()))
        elif name == "branches":
            layers.append(nets.Branches(width, narrow=1, wide=kernel + 1))
            width *= 2
        elif name == "gate":
            layers.append(nets.Gate())
        elif name == "slope":
            layers.append(nets.Slope())
        else:
            layers.append(nets.Moments(width, bins))
            width = 8
    return nn.Sequential(*layers)


@settings(
    max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    blocks=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=5).filter(
        lambda names: sum(n in ("strided", "max pool") for n in names) <= 2
    ),
    head=st.sampled_from(HEADS),
    chunks=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@example(blocks=["conv", "strided", "residual", "max pool"], head="attention", chunks=1, seed=0)
@example(blocks=["branches", "slope", "moments", "average pool"], head="mean+std", chunks=2, seed=1)
def test_any_network_of_these_layers_streams_as_it_judges_windows(
    blocks: list[str], head: str, chunks: int, seed: int
) -> None:
    model = nets.with_head(body(blocks, seed=seed), head, frames=FRAMES)
    graph = nets.traced(model, frames=FRAMES).model
    plan = plan_model(graph)
    features = picture(seed, frames=FRAMES + 20 * plan.stride)
    answers = nets.as_stream(graph, plan, features, chunks=chunks)
    wanted = nets.windows_of(
        Runner.of(graph), plan, features, frames=FRAMES, chunks=chunks, count=len(answers)
    )
    assert len(wanted) > 3
    scale = max(1.0, *(float(np.abs(logits).max()) for logits in wanted.values()))
    for q, logits in wanted.items():
        assert np.abs(answers[q] - logits).max() <= 2e-6 * scale


@pytest.mark.parametrize(("kernel", "before"), [(2, 2), (2, 4), (3, 3)])
def test_a_pool_that_rounds_its_size_up_makes_no_step_more(kernel: int, before: int) -> None:
    """What a stride leaves over would be one more output to it."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(nets.CHANNELS, 4, (3, before), padding=(1, 0)),
        nn.MaxPool2d((1, kernel), stride=(1, 2), ceil_mode=True),
        nn.Conv2d(4, 4, (1, 2)),
    )
    graph = nets.traced(nets.with_head(layers, "mean", frames=25), frames=25).model
    plan = plan_model(graph)
    assert plan.stride == 2
    features = picture(1, frames=25 + 40)
    answers = nets.as_stream(graph, plan, features, chunks=2)
    wanted = nets.windows_of(
        Runner.of(graph), plan, features, frames=25, chunks=2, count=len(answers)
    )
    assert len(wanted) > 3
    for q, logits in wanted.items():
        np.testing.assert_allclose(answers[q], logits, rtol=0, atol=2e-6)


@pytest.mark.parametrize("head", ["mean", "attention"])
def test_int8_streams_to_the_very_bits(head: str) -> None:
    torch.manual_seed(0)
    layers = [
        *(nn.Conv2d(2, 16, (3, 3), stride=(1, 2), padding=(1, 0)), nn.BatchNorm2d(16), nn.ReLU()),
        nets.Residual(16, kernel=3, dilation=1, activation=nn.ReLU()),
        nn.MaxPool2d((1, 2)),
        *(nn.Conv2d(16, 16, (6, 1)), nn.ReLU()),
    ]
    graph = nets.traced(
        nets.with_head(nn.Sequential(*layers), head, frames=FRAMES), frames=FRAMES
    ).model
    ranges = observe(graph, [picture(seed, frames=FRAMES) for seed in range(8)])
    int8 = annotated(graph, ranges)
    plan = plan_model(int8)
    features = picture(9, frames=FRAMES + 80)
    answers = nets.as_stream(int8, plan, features, chunks=2)
    wanted = nets.windows_of(
        Runner.of(finished(int8)), plan, features, frames=FRAMES, chunks=2, count=len(answers)
    )
    assert len(wanted) > 5
    for q, logits in wanted.items():
        np.testing.assert_array_equal(answers[q], logits)


def picture(seed: int, *, frames: int) -> Array:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((1, nets.CHANNELS, nets.BINS, frames)).astype(np.float32)
