"""The original once more in float64: the top rung, which tells whose rounding a difference is.

The weights and tables are the same float32 numbers; only the arithmetic is wider. Where a graph and
the float32 original lie equally far from this one, neither is at fault: float32 is that coarse.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from earlet_export.answers import Array, Run
from earlet_train.network import Network

Wide = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Original:
    """A network as two functions of numpy arrays.

    `features`: windows [B, T] -> [B, C, F, N]; `logits`: windows [B, T] -> [B, K].
    """

    features: Callable[[Array], Wide]
    logits: Run


def as_trained(network: Network) -> Original:
    """The network in float32, as it was trained and as the runtime's graphs compute."""
    return _original(network.eval(), torch.float32)


def in_float64(network: Network, window: Array) -> Original | str:
    """The same in float64, tried on one window [T]; or, in words, why that cannot be done."""
    try:
        wide = copy.deepcopy(network).double().eval()
        original = _original(wide, torch.float64)
        answers = {
            "features": original.features(window[None]),
            "logits": original.logits(window[None]),
        }
    # torch says so in its own words where an operator knows no float64, or two types meet.
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return f"this network does not compute in float64 ({str(error).splitlines()[0]})"
    for what, answer in answers.items():
        if answer.dtype != np.float64:
            return f"its {what} come out as {answer.dtype} whatever goes in"
    return original


def _original(network: Network, dtype: torch.dtype) -> Original:
    @torch.inference_mode()
    def features(windows: Array) -> Wide:
        answer: Wide = network.features(torch.from_numpy(windows).to(dtype)).numpy()
        return answer

    @torch.inference_mode()
    def logits(windows: Array) -> Wide:
        answer: Wide = network(torch.from_numpy(windows).to(dtype)).numpy()
        return answer

    return Original(features=features, logits=logits)
