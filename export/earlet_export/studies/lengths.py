"""Which recipes' graphs can take any length: each is tried, with fresh weights, no data needed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from earlet.errors import ParityError, UsageError
from earlet_export.exact import as_trained
from earlet_export.join import join
from earlet_export.lengths import lengths_to_try, opened_from, why_fixed
from earlet_export.material import at_three_levels
from earlet_export.prove_lengths import (
    AtLength,
    broken_lengths,
    open_graphs,
    prove_lengths,
    sounds,
)
from earlet_export.quantize import nodes_of_modules, observe, quantize
from earlet_export.run import Runner
from earlet_export.speed import one_thread, side_by_side
from earlet_export.trace import Traced, trace
from earlet_train.network import Network, build_network
from earlet_train.recipe import Recipe

Array = NDArray[np.float32]

# Windows of noise beside the golden signals.
NOISES = 3


@dataclass(frozen=True, kw_only=True)
class LengthRow:
    """One recipe. `why_not`: what fixes its length, or what went wrong; the rest is empty then.

    `open_from_samples`: the shortest waveform; `found`: at every length that was tried; `slower`:
    on one window, the time of the open graph over that of the graph of one length, by precision.
    """

    recipe: str
    sample_rate_hz: int
    why_not: str = ""
    open_from_samples: int = 0
    found: tuple[AtLength, ...] = ()
    slower: tuple[tuple[str, float], ...] = ()


def study_lengths(
    recipes: Sequence[Recipe],
    *,
    on_step: Callable[[str], None] = lambda _: None,
    on_row: Callable[[list[LengthRow]], None] = lambda _: None,
) -> list[LengthRow]:
    """Recipes -> a row each; `on_row` is handed those that are done, after every one."""
    rows: list[LengthRow] = []
    with one_thread():
        for recipe in recipes:
            on_step(f"{recipe.name}: tracing with its length open")
            rows.append(length_row(recipe))
            on_row(rows)
    return rows


def length_row(recipe: Recipe) -> LengthRow:
    """Recipe -> its row. Raises RecipeError where its network cannot be built."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe).eval()
    window = recipe.data.window_samples
    heard = sounds_of_a_window(recipe)
    fixed_by = why_fixed(network)
    if fixed_by:
        reasons = "; ".join(f"{part}: {reason}" for part, reason in fixed_by.items())
        return _refused(recipe, reasons)
    settle_norms(network, torch.from_numpy(heard))
    try:
        least = opened_from(network, recipe, length="any", stream="window")
        fixed = trace(network, window_samples=window)
        opened = trace(network, window_samples=window, open_from_samples=least)
        assert least is not None
        graphs = both(opened, recipe, heard)
        found = prove_lengths(
            as_trained(network),
            open_graphs(graphs),
            lengths=lengths_to_try(least, window),
            trials=(),
            sample_rate_hz=recipe.data.sample_rate_hz,
        )
        why_not = "; ".join(broken_lengths(found, promises=recipe.promises))
    except (ParityError, UsageError) as error:
        return _refused(recipe, str(error))
    return LengthRow(
        recipe=recipe.name,
        sample_rate_hz=recipe.data.sample_rate_hz,
        why_not=why_not,
        open_from_samples=least,
        found=found,
        slower=tuple(_slower(graphs, both(fixed, recipe, heard), heard[-1:])),
    )


def _refused(recipe: Recipe, why_not: str) -> LengthRow:
    return LengthRow(recipe=recipe.name, sample_rate_hz=recipe.data.sample_rate_hz, why_not=why_not)


def sounds_of_a_window(recipe: Recipe) -> Array:
    """-> windows [S, T]: golden signals, and noise as loud as speech."""
    window, rate_hz = recipe.data.window_samples, recipe.data.sample_rate_hz
    golden = sounds(window, trials=(), sample_rate_hz=rate_hz)
    noise = np.random.default_rng(recipe.seed).standard_normal((NOISES, window)) * 0.1
    heard: Array = np.concatenate([[*golden.values()], noise]).astype(np.float32)
    return heard


def both(traced: Traced, recipe: Recipe, heard: Array) -> dict[str, onnx.ModelProto]:
    """Traced -> the joined graphs `fp32` and `int8`, calibrated with the windows `heard`."""
    frontend = Runner.of(traced.frontend)
    ranges = observe(traced.model, (frontend(clip) for clip in at_three_levels(heard)))
    kept = nodes_of_modules(traced.model, recipe.export.exclude)
    models = {"fp32": traced.model, "int8": quantize(traced.model, ranges, keep_float=kept)}
    return {name: join(traced.frontend, model) for name, model in models.items()}


@torch.no_grad()
def settle_norms(network: Network, windows: torch.Tensor) -> None:
    """Give fresh batch norms the statistics of windows [S, T].

    Else they pass features on as they are, and logits are so large that float32 itself is coarser
    than what recipes promise.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    with _averaging(norms):
        for half in windows.chunk(2):
            network(half)


@contextmanager
def _averaging(norms: Sequence[nn.Module]) -> Iterator[None]:
    """Inside, batch norms take the plain mean of the statistics of whatever they see."""
    for norm in norms:
        norm.train()
        norm.momentum = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for norm in norms:
            norm.eval()


def _slower(
    opened: dict[str, onnx.ModelProto],
    fixed: dict[str, onnx.ModelProto],
    window: Array,
) -> Iterator[tuple[str, float]]:
    for precision, graph in opened.items():
        # `side_by_side` divides by the candidate that is called fp32: here the one of one length.
        runs = {"fp32": Runner.of(fixed[precision]), "open": Runner.of(graph)}
        yield precision, side_by_side(runs, window)["open"].ratio_to_fp32
