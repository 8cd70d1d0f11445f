"""Every shipped recipe exports, joins, quantizes and gives PyTorch's answers, before any training.

A new recipe is tested by being there. Large networks that tests/train/test_models.py exports in
small are for `make test-slow`.
"""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from earlet_export.join import join
from earlet_export.material import at_three_levels
from earlet_export.quantize import nodes_of_modules, observe, quantize
from earlet_export.run import Runner
from earlet_export.trace import Traced, trace
from earlet_train.network import Network, build_network, numpy_logits
from earlet_train.recipe import Recipe, load_recipe, shipped_recipes

Array = NDArray[np.float32]


LARGE = (
    "mpif-res2net",
    "relevance-clstm",
    "res2net50",
    "resnet50-spectrogram",
    "resnet50-waveform",
    "se-res2net50",
)


class Exported:
    """A recipe's network with fresh weights and its graphs, made once for all questions."""

    def __init__(self, name: str) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.recipe: Recipe = load_recipe(name)
        self.network: Network = build_network(self.recipe).eval()
        self.traced: Traced = trace(self.network, window_samples=self.recipe.data.window_samples)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in LARGE else ())
        for name in sorted(shipped_recipes())
    ],
)
def exported(request: pytest.FixtureRequest) -> Exported:
    return Exported(request.param)


def windows(recipe: Recipe, batch: int) -> Array:
    """Vowels of a wavering voice with breath, each louder than the one before: [B, T]."""
    rng = np.random.default_rng(7)
    t = np.arange(recipe.data.window_samples) / recipe.data.sample_rate_hz
    rows = []
    for i in range(batch):
        pitch = (110 + 40 * i) * (1 + 0.05 * np.sin(2 * np.pi * 5 * t))
        phase = 2 * np.pi * np.cumsum(pitch) / recipe.data.sample_rate_hz
        voice = sum(np.sin(k * phase) / k for k in range(1, 24))
        syllables = np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
        rows.append((voice * syllables + 0.05 * rng.standard_normal(len(t))) * 0.05 * (i + 1))
    return np.stack(rows).astype(np.float32)


def test_fp32_answers_as_pytorch_does_for_any_batch(exported: Exported) -> None:
    fp32 = Runner.of(join(exported.traced.frontend, exported.traced.model))
    original = numpy_logits(exported.network)
    extremes = np.zeros((2, exported.recipe.data.window_samples), dtype=np.float32)
    extremes[1] = np.sign(np.sin(np.arange(extremes.shape[1]) * 0.3))
    for asked in (windows(exported.recipe, 1), windows(exported.recipe, 3), extremes):
        answer, wanted = fp32(asked), original(asked)
        assert np.isfinite(wanted).all()
        # Fresh batch norms have seen nothing: silence may give logits of a hundred and more, where
        # float32 itself is coarser than the promise.
        promised = exported.recipe.promises.fp32_max_abs_logit
        np.testing.assert_allclose(answer, wanted, rtol=1e-5, atol=promised)


def test_a_neighbour_in_the_batch_changes_nothing(exported: Exported) -> None:
    fp32 = Runner.of(join(exported.traced.frontend, exported.traced.model))
    three = windows(exported.recipe, 3)
    np.testing.assert_allclose(fp32(three)[:1], fp32(three[:1]), rtol=0, atol=1e-5)


def test_int8_is_made_and_follows_the_original(exported: Exported) -> None:
    frontend = Runner.of(exported.traced.frontend)
    clips = at_three_levels(windows(exported.recipe, 3))
    ranges = observe(exported.traced.model, (frontend(clip) for clip in clips))
    kept = nodes_of_modules(exported.traced.model, exported.recipe.export.exclude)
    model = quantize(exported.traced.model, ranges, keep_float=kept)
    quantized = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert quantized, "nothing became int8"
    asked = windows(exported.recipe, 3)
    original, answer = (
        numpy_logits(exported.network)(asked),
        Runner.of(join(exported.traced.frontend, model))(asked),
    )
    # Fresh weights say nothing, so no decisions yet: int8 stays near, on the scale of the logits.
    assert np.isfinite(answer).all()
    assert np.abs(answer - original).max() <= 0.25 * np.abs(original).max() + 0.1
