"""What every model in the registry promises, whatever it is made of.

A model that cannot read the usual picture, or that is too heavy with its published settings for a
test, gets a line in EXAMPLES. What only one model promises stands in that model's own test file.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from earlet_export.quantize import observe, quantize
from earlet_export.run import Runner
from earlet_export.trace import trace
from earlet_train.models import MODELS
from earlet_train.models.model import Model

SHAPE = (1, 64, 50)


@dataclass(frozen=True, kw_only=True)
class Example:
    """The picture [C, F, N] and the settings that a kind of model is tried with."""

    shape: tuple[int, int, int] = SHAPE
    settings: dict[str, Any] = field(default_factory=dict)


EXAMPLES: dict[str, Example] = {
    "clstm": Example(settings={"hidden": 32}),
    "fcn": Example(shape=(3, 64, 50), settings={"width": 16}),
    "res2net": Example(settings={"blocks": (2, 2), "channels": (16, 32), "fusion": "views"}),
    "aasist": Example(shape=(1, 23, 800), settings={"channels": (4, 4, 4, 4)}),
    "resnet50": Example(settings={"blocks": (1, 1, 1, 1), "channels": 16}),
}


@pytest.fixture(params=sorted(MODELS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def shape(kind: str) -> tuple[int, int, int]:
    return EXAMPLES.get(kind, Example()).shape


@pytest.fixture
def model(kind: str, shape: tuple[int, int, int]) -> Model:
    torch.manual_seed(0)
    settings = MODELS[kind].Settings(**EXAMPLES.get(kind, Example()).settings)
    return MODELS[kind](settings, shape=shape, classes=3)


def pictures(batch: int, shape: tuple[int, int, int]) -> Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("batch", [1, 3])
def test_every_clip_gets_one_logit_per_label(
    model: Model, shape: tuple[int, int, int], batch: int
) -> None:
    assert model.eval()(pictures(batch, shape)).shape == (batch, 3)


def test_the_last_layer_turns_the_embedding_into_the_logits(
    model: Model, shape: tuple[int, int, int]
) -> None:
    embedding = model.eval().embedding(pictures(3, shape))
    assert embedding.ndim == 2
    assert torch.equal(model.output(embedding), model(pictures(3, shape)))


def test_the_answer_is_always_the_same_and_knows_no_neighbour(
    model: Model, shape: tuple[int, int, int]
) -> None:
    model.eval()
    three = model(pictures(3, shape))
    assert torch.equal(three, model(pictures(3, shape)))
    torch.testing.assert_close(model(pictures(3, shape)[:1]), three[:1], rtol=1e-4, atol=1e-5)


def test_the_gradient_reaches_the_first_layer(model: Model, shape: tuple[int, int, int]) -> None:
    model.train()(pictures(3, shape)).square().sum().backward()
    first = next(model.parameters())
    assert first.grad is not None
    assert float(first.grad.abs().max()) > 0


def test_different_pictures_get_different_answers(
    model: Model, shape: tuple[int, int, int]
) -> None:
    model.eval()
    # Not one a multiple of the other: some normalize each clip.
    difference = model(pictures(1, shape)) - model(pictures(1, shape).exp())
    assert float(difference.detach().abs().max()) > 1e-4


def test_silence_gives_finite_logits(model: Model, shape: tuple[int, int, int]) -> None:
    """The floor of a dB spectrogram everywhere, and nothing at all."""
    flat = torch.stack([torch.full(shape, -100.0), torch.zeros(shape)])
    assert torch.isfinite(model.eval()(flat)).all()


class Behind(nn.Module):
    """The model behind a frontend that only gives the samples the picture's shape."""

    def __init__(self, model: Model, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.model = model
        self.shape = shape

    def features(self, waveform: Tensor) -> Tensor:
        return waveform.reshape(-1, *self.shape)


# Of the others, tests/export/test_every_recipe.py exports whole recipes.
@pytest.mark.parametrize("kind", ["clstm", "res2net", "resnet50"], indirect=True)
def test_onnx_runtime_answers_as_torch_does_and_int8_nearly_so(
    model: Model, shape: tuple[int, int, int]
) -> None:
    learn_statistics(model, shape)
    samples = shape[0] * shape[1] * shape[2]
    graph = trace(Behind(model, shape).eval(), window_samples=samples).model
    with torch.no_grad():
        exact = model(pictures(3, shape)).numpy()
    run = Runner.of(graph)
    for batch in (1, 3):
        found = run(pictures(3, shape)[:batch].numpy())
        np.testing.assert_allclose(found, exact[:batch], atol=1e-4)
    clips = [clip[None] for clip in pictures(3, shape).numpy()]
    moved = Runner.of(quantize(graph, observe(graph, clips)))(pictures(3, shape).numpy())
    off = np.abs(moved - exact).max()
    assert 0 < off < 0.35 * np.abs(exact).max() + 0.02


def learn_statistics(model: Model, shape: tuple[int, int, int]) -> None:
    """A few passes in training mode: fresh batch norms know nothing of what flows through them."""
    model.train()
    with torch.no_grad():
        for _ in range(8):
            model(pictures(4, shape))
    model.eval()


@pytest.mark.parametrize("kind", ["narrow-cnn", "res2net", "resnet50"])
def test_a_picture_smaller_than_the_network_can_halve_is_refused(kind: str) -> None:
    settings = MODELS[kind].Settings()
    with pytest.raises(ValueError, match=r"found 64 and 3: take longer windows"):
        MODELS[kind](settings, shape=(1, 64, 3), classes=2)
