"""Finds which layers int8 hurts most, and puts them back to float until a promise holds."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from earlet_export.macs import layer_macs
from earlet_export.quantize import Array, Ranges, layers, quantize
from earlet_export.run import Runner, one_by_one

log = logging.getLogger(__name__)

# With more of the work than this back in float there is no int8 graph left worth the name.
MOST_IN_FLOAT = 0.5


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One layer: mean |change| of the logits with it in int8 and everything else in float.

    (The other way round, all in int8 but one, hides the worst case: a tensor between two layers
    whose values do not fit eight bits is as bad when only one of the two returns to float.)
    """

    layer: str
    mean_abs_logit: float
    share_of_macs: float


@dataclass(frozen=True, kw_only=True)
class Int8:
    """The int8 graph that was settled on.

    `kept_float`: the nodes that the recipe excludes, then the layers put back, worst first.
    """

    model: onnx.ModelProto
    kept_float: tuple[str, ...]
    ranking: tuple[Damage, ...]


def settle(
    model: onnx.ModelProto,
    ranges: Ranges,
    features: Array,
    *,
    holds: Callable[[onnx.ModelProto], bool],
    exclude: Sequence[str] = (),
) -> Int8:
    """Model graph -> the int8 graph with the fewest layers in float for which `holds` is true.

    `features` [N, C, F, N] rank the layers, and only where full int8 does not hold. Layers go
    back worst first, one, two, four, ... at a time, while at least half of the multiplications
    stay in int8. Where that is not enough, the full int8 graph comes back, promise broken.
    Nodes in `exclude` are in float from the start.
    """
    excluded = tuple(exclude)
    full = quantize(model, ranges, keep_float=excluded)
    if holds(full):
        return Int8(model=full, kept_float=excluded, ranking=())
    log.info("int8 alone does not hold the promise; ranking the layers")
    ranking = rank(model, ranges, features, exclude=excluded)
    tried = 0
    while tried < len(ranking):
        tried = max(tried + 1, 2 * tried)
        worst = ranking[:tried]
        if sum(d.share_of_macs for d in worst) > MOST_IN_FLOAT:
            break
        kept = (*excluded, *(d.layer for d in worst))
        candidate = quantize(model, ranges, keep_float=kept)
        if holds(candidate):
            return Int8(model=candidate, kept_float=kept, ranking=tuple(ranking))
    return Int8(model=full, kept_float=excluded, ranking=tuple(ranking))


def rank(
    model: onnx.ModelProto, ranges: Ranges, features: Array, *, exclude: Sequence[str] = ()
) -> list[Damage]:
    """Every layer with weights that is not excluded, the most damaging first."""
    exact = one_by_one(Runner.of(model), features)
    macs = layer_macs(model)
    total = max(1, sum(macs.values()))
    everything = [node.name for node in model.graph.node]
    damages = []
    for layer in layers(model):
        if layer in exclude:
            continue
        others = [name for name in everything if name != layer]
        moved = one_by_one(Runner.of(quantize(model, ranges, keep_float=others)), features)
        damages.append(
            Damage(
                layer=layer,
                mean_abs_logit=float(np.abs(moved - exact).mean()),
                share_of_macs=macs.get(layer, 0) / total,
            )
        )
    return sorted(damages, key=lambda d: (-d.mean_abs_logit, d.layer))
