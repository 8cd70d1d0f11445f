"""The whole detector as one torch module: frontend, adapter where there is one, model."""

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
from earlet_train.models.model import Model
from earlet_train.recipe import Recipe


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
    """Recipe -> Network with fresh weights from torch's global generator. Raises RecipeError."""
    data = recipe.data
    silence = torch.zeros(1, data.window_samples)
    try:
        frontend = FRONTENDS[recipe.frontend.kind](
            recipe.frontend.settings, sample_rate_hz=data.sample_rate_hz
        )
        shape = feature_shape(frontend, silence)
        adapter = None
        if recipe.adapter is not None:
            adapter = ADAPTERS[recipe.adapter.kind](recipe.adapter.settings, shape=shape)
            shape = feature_shape(nn.Sequential(frontend, adapter), silence)
        model = MODELS[recipe.model.kind](
            recipe.model.settings, shape=shape, classes=len(recipe.labels)
        )
    # A window shorter than one frame: the sizes of a recipe's tables do not fit each other.
    except (RuntimeError, ValueError) as error:
        raise RecipeError(
            f"the recipe {recipe.name!r} cannot be built with windows of {data.window_samples} "
            f"samples: {error}. Change [data], [frontend] or [model] so that they fit."
        ) from error
    return Network(frontend=frontend, adapter=adapter, model=model)


@torch.no_grad()
def feature_shape(frontend: nn.Module, waveform: Tensor) -> tuple[int, int, int]:
    """Shape [C, F, N] of the features of one waveform [1, T]."""
    _, channels, bins, frames = frontend(waveform).shape
    return channels, bins, frames


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
