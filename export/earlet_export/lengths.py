"""Which lengths of sound a network takes, where a graph is to leave its length open.

A network of convolutions and a mean over time answers to any length; one whose last layer reads a
flattened map answers to one. Parts that know what fixes their length say so (`why_fixed_length`);
what they do not know shows while tracing, and in the proof (`earlet_export.prove_lengths`).
"""

from collections.abc import Mapping
from typing import Literal

import torch

from earlet.errors import UsageError
from earlet_train.network import Network
from earlet_train.recipe import Recipe, Stream

Length = Literal["window", "any"]

# Laid end to end, with an odd rest behind them.
LONG_WINDOWS = 3


def opened_from(network: Network, recipe: Recipe, *, length: Length, stream: Stream) -> int | None:
    """What the recipe's graphs are open from, in samples; None: they take one window.

    Raises UsageError where they are to be open and cannot.
    """
    if length == "window":
        return None
    if stream == "exact":
        raise UsageError(
            "graphs that stream are woven from graphs of one window, and these were to take any "
            "length. Export with --stream window, or once with --length any and once without."
        )
    data = recipe.data
    return open_from(network, min_samples=data.min_samples, window_samples=data.window_samples)


def open_from(network: Network, *, min_samples: int, window_samples: int) -> int:
    """Network in eval mode -> the shortest waveform, in samples, that its open graph will state.

    `min_samples`, what the recipe lets a detector hear, or the least above it that the network can
    take. Raises UsageError where a part suits one length alone, naming part and reason.
    """
    fixed = why_fixed(network)
    if fixed:
        reasons = "; ".join(f"{part}: {reason}" for part, reason in fixed.items())
        raise UsageError(
            f"this network takes windows of {window_samples} samples and no other length. "
            f"{reasons}. Change the recipe so and train it, or export with --length window; a "
            "detector cuts recordings of any length into windows itself."
        )
    return shortest(network, at_least=min_samples, at_most=window_samples)


def why_fixed(network: Network) -> Mapping[str, str]:
    """Part -> what in it suits one length alone and what to change, for the parts that say so."""
    adapter = network.adapter
    reasons = {
        "frontend": network.frontend.why_fixed_length(),
        "adapter": "" if adapter is None else adapter.why_fixed_length(),
        "model": network.model.why_fixed_length(),
    }
    return {part: reason for part, reason in reasons.items() if reason}


def shortest(network: Network, *, at_least: int, at_most: int) -> int:
    """The least number of samples in that range that the network answers to, found by halving.

    `at_most` must be one; whatever is longer than one that it takes, it takes too.
    """
    if takes(network, at_least):
        return at_least
    refused, taken = at_least, at_most
    while taken - refused > 1:
        middle = (refused + taken) // 2
        if takes(network, middle):
            taken = middle
        else:
            refused = middle
    return taken


@torch.no_grad()
def takes(network: Network, samples: int) -> bool:
    """Whether the network answers to a waveform of that length."""
    try:
        network(torch.zeros(1, samples))
    # A frontend's word for too short is ValueError, torch's own for a map of no width RuntimeError.
    except (RuntimeError, ValueError):
        return False
    return True


def lengths_to_try(shortest_samples: int, window_samples: int) -> dict[str, int]:
    """In words -> samples: the shortest, an odd one, the window, and several windows and a bit."""
    odd = max(shortest_samples, 2 * window_samples // 3) | 1
    return {
        "shortest": shortest_samples,
        "odd": odd,
        "one window": window_samples,
        f"{LONG_WINDOWS} windows and a bit": LONG_WINDOWS * window_samples
        + (window_samples // 3 | 1),
    }
