"""Foreign models that answer moment by moment: one score for a window, pooled as told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from foreign.small import MEMORY, Array, T, agree, body, model, sound, spec, weights, with_memory
from numpy.typing import NDArray
from onnx import ModelProto, helper
from torch import nn

from earlet.errors import RecipeError
from earlet_export.foreign.torch_module import TorchOriginal, export_module
from earlet_export.foreign.wrapped import wrap

MOMENTS = 79  # what the filters of small.body leave of a window
POOLS: dict[str, Callable[[Array], Array]] = {
    "max": lambda x: x.max(axis=1),
    "mean": lambda x: x.mean(axis=1),
    "last": lambda x: x[:, -1],
}


def framewise(numbers: int, *ends: Any, batch: Any = "B") -> ModelProto:
    """`small.body` without its mean over time: [B, numbers, moments], then `ends`."""
    rng = np.random.default_rng(7)
    constants: dict[str, NDArray[Any]] = {
        **weights(),
        "each": rng.normal(0, 0.5, (numbers, 16, 1)).astype(np.float32),
        "flat": np.array([batch if batch == 1 else -1, MOMENTS]),
    }
    nodes = [*body()[:-2], helper.make_node("Conv", ["r1", "each"], ["k"], name="each moment")]
    return model([*nodes, *ends], constants, inputs={"x3": (1, [batch, 1, T])})


def turned(source: str = "k", end: str = "answer") -> Any:
    return helper.make_node("Transpose", [source], [end], perm=[0, 2, 1])


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("batch", ["B", 1])
def test_one_number_for_each_moment(pool: str, batch: Any) -> None:
    flat = helper.make_node("Reshape", ["k", "flat"], ["answer"])
    text = f'[output]\nmeans = "log-odds"\nmoments = "{pool}"\n'
    wrapped = wrap(framewise(1, flat, batch=batch), spec(text), sha256="")
    said = wrapped.untouched(sound())
    assert said.shape == (4, 1, MOMENTS, 1)
    np.testing.assert_allclose(agree(wrapped)[:, 1], POOLS[pool](said[:, 0, :, 0]), atol=1e-5)
    assert wrapped.in_turn == ()


@pytest.mark.parametrize("shape", ["", 'shape = ["B", "K", "T"]'])
def test_probabilities_of_each_moment_wherever_its_axis_is(shape: str) -> None:
    ends = [
        helper.make_node("Softmax", ["k"], ["p" if not shape else "answer"], axis=1),
        *([] if shape else [turned("p")]),
    ]
    text = f'[output]\nmeans = "probabilities"\nmoments = "mean"\n{shape}\n'
    wrapped = wrap(framewise(2, *ends), spec(text), sha256="")
    assert wrapped.tapped
    said = wrapped.untouched(sound())
    assert said.shape == (4, 1, MOMENTS, 2)
    np.testing.assert_allclose(said.sum(axis=3), 1, atol=1e-5)
    logits = agree(wrapped)
    expected = np.log(said[:, 0]).mean(axis=1)
    np.testing.assert_allclose(
        logits[:, 1] - logits[:, 0], expected[:, 1] - expected[:, 0], atol=1e-4
    )


def test_one_column_of_each_moment_and_a_negative_slope() -> None:
    text = (
        '[output]\nmeans = "value"\ncolumn = 2\nslope = -2.0\nmoments = "max"\n'
        'shape = ["B", "K", "T"]\n'
    )
    end = helper.make_node("Identity", ["k"], ["answer"])
    wrapped = wrap(framewise(3, end), spec(text), sha256="")
    said = wrapped.untouched(sound())[:, 0, :, 2]
    np.testing.assert_allclose(agree(wrapped)[:, 1], -2 * said.min(axis=1), atol=1e-5)


def test_moments_of_the_pieces_of_a_model_with_memory() -> None:
    """Each piece answers twice, with and without its memory; the largest, then the last piece."""
    both = with_memory()
    sigmoid = both.graph.node[-1]
    sigmoid.input[0] = "both"
    twice = helper.make_node("Concat", ["value", "now"], ["both"], axis=1)
    both.graph.node.insert(len(both.graph.node) - 1, twice)
    text = MEMORY.format(pool="last") + 'moments = "max"\n'
    wrapped = wrap(both, spec(text), sha256="")
    assert wrapped.held is not None
    said = wrapped.held(sound())
    assert said.shape == (4, 8, 2, 1)
    assert np.ptp(said[:, -1, :, 0], axis=1).min() > 1e-3
    np.testing.assert_allclose(agree(wrapped)[:, 1], said[:, -1, :, 0].max(axis=1), atol=1e-5)


class Framewise(nn.Module):
    """Loudness by stretches, by two numbers: [B, moments, 2]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.filters = nn.Conv1d(1, 8, 200, stride=100)
        self.last = nn.Linear(8, 2)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        bands = self.filters(waveform.unsqueeze(1)).square()
        logits: torch.Tensor = self.last(torch.log(bands + 1e-6).transpose(1, 2))
        return logits


def test_a_torch_module_may_answer_moment_by_moment() -> None:
    module = Framewise().eval()
    chosen = spec('[output]\nmeans = "logits"\nmoments = "mean"\n')
    original = TorchOriginal(module=module, spec=chosen)
    wrapped = wrap(export_module(module, chosen), chosen, sha256="", untouched=original)
    with torch.inference_mode():
        expected = module(torch.from_numpy(sound())).mean(dim=1).numpy()
    np.testing.assert_allclose(agree(wrapped), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ('means = "log-odds"', r"answers 158 numbers to one window.*say with \[output\] moments"),
        (
            'means = "log-odds"\nmoments = "max"\nshape = ["B", "K", "T"]',
            r"answers 2 numbers to one moment\. Say with \[output\] column",
        ),
        (
            'means = "logits"\nmoments = "max"',
            f"answers {MOMENTS} numbers to one moment; logits of 2 labels are 2",
        ),
        (
            'means = "log-odds"\nmoments = "max"\nshape = ["B", "T"]',
            r"has the shape \[3, 2, 79\]. Say with \[output\] shape which of its 3 axes.*found",
        ),
        (
            'means = "log-odds"\nmoments = "max"\nshape = ["T", "B", "K"]',
            r"\[output\] shape is \['T', 'B', 'K'\], and the model's answer to 3 recordings",
        ),
        (
            'means = "log-odds"\nmoments = "max"\nshape = ["B", 1, "T"]',
            r"\[output\] shape is \['B', 1, 'T'\], and the model's answer",
        ),
    ],
)
def test_an_answer_that_is_laid_out_otherwise_is_refused(output: str, words: str) -> None:
    end = helper.make_node("Identity", ["k"], ["answer"])
    with pytest.raises(RecipeError, match=words):
        wrap(framewise(2, end), spec(f"[output]\n{output}\n"), sha256="")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ('shape = ["B", "T"]', "shape belongs to moments"),
        ('moments = "max"\nshape = ["B", "K"]', "shape needs one 'T'"),
        ('moments = "median"', "moments"),
        ('moments = "max"\nshape = ["B", "T", "C"]', "shape"),
    ],
)
def test_a_manifest_that_says_moments_wrongly_is_refused(output: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        spec(f'[output]\nmeans = "log-odds"\n{output}\n')
