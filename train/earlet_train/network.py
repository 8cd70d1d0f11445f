"""The whole detector as one torch module: frontend, adapter where there is one, model."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet.errors import RecipeError
from earlet.scoring import Logits
from earlet_train.adapters import ADAPTERS
from earlet_train.adapters.adapter import Adapter
from earlet_train.frontends import FRONTENDS
from earlet_train.frontends.frontend import Frontend
from earlet_train.models import MODELS
from earlet_train.models.angular import AngularLinear
from earlet_train.models.model import Model
from earlet_train.recipe import Part, Recipe


class Network(nn.Module):
    """Waveform [B, T] -> logits [B, K].

    `features`, what the model gets, is the seam: everything before it stays in float32 for good,
    everything behind it may become int8.
    """

    def __init__(self, *, frontend: Frontend, adapter: Adapter | None, model: Model) -> None:
        super().__init__()
        self.frontend = frontend
        self.adapter = adapter
        self.model = model

    def features(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> features [B, C, F, N], the float part up to the seam."""
        features: Tensor = self.frontend(waveform)
        if self.adapter is not None:
            features = self.adapter(features)
        return features

    def forward(self, waveform: Tensor) -> Tensor:
        """Waveform [B, T] -> logits [B, K]."""
        logits: Tensor = self.model(self.features(waveform))
        return logits


def build_network(recipe: Recipe) -> Network:
    """Recipe -> Network with fresh weights from torch's global generator.

    Raises RecipeError, naming file and table, where a part cannot be made or cannot take what the
    part before it gives: every part is tried on one window.
    """
    window = torch.zeros(1, recipe.data.window_samples)
    with blamed(recipe, "frontend", recipe.frontend, given=None):
        frontend = FRONTENDS[recipe.frontend.kind](
            recipe.frontend.settings, sample_rate_hz=recipe.data.sample_rate_hz
        )
        shape = feature_shape(frontend, window)
    adapter = None
    if recipe.adapter is not None:
        with blamed(recipe, "adapter", recipe.adapter, given=shape):
            adapter = ADAPTERS[recipe.adapter.kind](recipe.adapter.settings, shape=shape)
            shape = feature_shape(nn.Sequential(frontend, adapter), window)
    with blamed(recipe, "model", recipe.model, given=shape):
        model = MODELS[recipe.model.kind](
            recipe.model.settings, shape=shape, classes=len(recipe.labels)
        )
        try_on(model, shape)
    if recipe.training.loss == "a-softmax" and not isinstance(model.output, AngularLinear):
        raise RecipeError(
            f"{recipe.source}: [training] loss 'a-softmax' puts a margin between angles, and the "
            f"[model] of kind {recipe.model.kind!r} as set ends in a layer without any. Set "
            'head = "angular" in [model] where it has that key, or another loss.'
        )
    return Network(frontend=frontend, adapter=adapter, model=model)


@contextmanager
def blamed(
    recipe: Recipe, table: str, part: Part, *, given: tuple[int, int, int] | None
) -> Iterator[None]:
    """What goes wrong inside becomes a RecipeError that names the file, the table and the sizes."""
    try:
        yield
    # Torch's own word for sizes that do not fit (a window shorter than one frame) is RuntimeError.
    except (RuntimeError, ValueError) as error:
        got = "" if given is None else f" and features [C, F, N] = {list(given)}"
        raise RecipeError(
            f"{recipe.source}: [{table}] of kind {part.kind!r} does not fit windows of "
            f"{recipe.data.window_samples} samples{got}: {str(error).splitlines()[0]}. Change "
            f"[data] window_samples, [{table}], or what comes before it."
        ) from error


@torch.no_grad()
def feature_shape(frontend: nn.Module, waveform: Tensor) -> tuple[int, int, int]:
    """Shape [C, F, N] of the features of one waveform [1, T]; leaves the module as it was."""
    was_training = frontend.training
    _, channels, bins, frames = frontend.eval()(waveform).shape
    frontend.train(was_training)
    if min(channels, bins, frames) < 1:
        raise ValueError(f"it would give features [C, F, N] = {[channels, bins, frames]}")
    return channels, bins, frames


@torch.no_grad()
def try_on(model: Model, shape: tuple[int, int, int]) -> None:
    """Raises RuntimeError or ValueError where a model that was made cannot take features [C, F, N].

    By taking them. (Shapes alone, through torch's fake tensors, cost three seconds of imports and
    then as much as the smaller networks themselves; torch's meta device knows no autocast.)
    """
    was_training = model.training
    model.eval()(torch.zeros(1, *shape))
    model.train(was_training)


def numpy_logits(network: Network) -> Logits:
    """Network -> the same as a function from windows [B, T] to logits [B, K], both numpy float32.

    In eval mode, on whatever device the network lies.
    """
    network.eval()
    device = next(network.parameters()).device

    @torch.inference_mode()
    def logits(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        answer = network(torch.from_numpy(windows).to(device)).float().cpu().numpy()
        assert isinstance(answer, np.ndarray)
        return answer

    return logits
