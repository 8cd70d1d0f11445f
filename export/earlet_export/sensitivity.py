"""Ranks the layers by what int8 in each of them does to the decision.

Not every change of a logit matters: a recording that stands far from the threshold keeps its
verdict whatever rounding does. What matters is movement near the threshold, and movement that
brings the classes together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from earlet.metrics import equal_error_rate
from earlet_export.calibrate import Ranges
from earlet_export.macs import layer_macs
from earlet_export.prove import difference
from earlet_export.quantize import Array, layers, quantize
from earlet_export.run import Runner, one_by_one

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One layer alone in int8, everything else in float; scores are those the threshold cuts.

    (The other way round, all in int8 but one, hides the worst case: a tensor between two layers
    whose values do not fit eight bits is as bad when only one of the two returns to float.)

    `near`: mean |change| of the score, where a window weighs the less the farther it stands from
    the threshold. `drawn_together`: by how much that brings the classes nearer to each other, 0
    where it does not. `damage`: their sum, by which layers are ranked. `flips`, `eer_change`: what
    became of the few windows that were asked, for the reader. `sqnr_db`: of the logits.
    """

    layer: str
    damage: float
    near: float
    drawn_together: float
    flips: int
    eer_change: float
    mean_abs_logit: float
    sqnr_db: float | None
    share_of_macs: float


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What the layers are judged on: `features` [N, C, F, N] and `is_positive` [N] of windows.

    `scores`: logits [N, K] -> scores [N], of which `threshold` makes decisions.
    """

    features: Array
    is_positive: NDArray[np.bool_]
    threshold: float
    scores: Callable[[Array], Floats]


def telling(
    scores: Floats, is_positive: NDArray[np.bool_], *, threshold: float, count: int
) -> list[int]:
    """Scores [R] -> at most `count` recordings that tell most about a layer, in their order.

    Half of them nearest to the threshold, as many of each class; the others evenly spaced.
    """
    nearest: list[int] = []
    margin = np.abs(scores - threshold)
    for kind in (True, False):
        own = np.flatnonzero(is_positive == kind)
        nearest += [int(i) for i in own[np.argsort(margin[own], kind="stable")][: count // 4]]
    rest = [i for i in range(len(scores)) if i not in nearest]
    spare = min(len(rest), count - len(nearest))
    spaced = [rest[i] for i in np.linspace(0, len(rest) - 1, spare).round().astype(int)]
    return sorted({*nearest, *spaced})


def rank(
    model: onnx.ModelProto,
    ranges: Ranges,
    view: View,
    *,
    exclude: Sequence[str] = (),
    macs: Mapping[str, int] | None = None,
) -> list[Damage]:
    """Every layer with weights that is not excluded, the most damaging first.

    `macs`: the work of each layer, where the graph's sizes do not tell it.
    """
    exact = one_by_one(Runner.of(model), view.features)
    scores = view.scores(exact)
    moved = one_by_one(Runner.of(quantize(model, ranges, keep_float=tuple(exclude))), view.features)
    weights = _nearness(scores - view.threshold, view.scores(moved) - scores)
    macs = layer_macs(model) if macs is None else macs
    total = max(1, sum(macs.values()))
    everything = [node.name for node in model.graph.node]
    damages = []
    for layer in layers(model):
        if layer in exclude:
            continue
        others = [name for name in everything if name != layer]
        logits = one_by_one(Runner.of(quantize(model, ranges, keep_float=others)), view.features)
        changed = view.scores(logits)
        away = changed - scores
        near = float((weights * np.abs(away)).sum() / weights.sum())
        together = max(0.0, _drawn_together(away, view.is_positive, weights))
        gap = difference(exact, logits)
        damages.append(
            Damage(
                layer=layer,
                damage=near + together,
                near=near,
                drawn_together=together,
                flips=int(((scores >= view.threshold) != (changed >= view.threshold)).sum()),
                eer_change=_eer(changed, view.is_positive) - _eer(scores, view.is_positive),
                mean_abs_logit=gap.mean_abs,
                sqnr_db=gap.sqnr_db,
                share_of_macs=macs.get(layer, 0) / total,
            )
        )
    return sorted(damages, key=lambda d: (-d.damage, d.layer))


def _nearness(margins: Floats, moved: Floats) -> Floats:
    """Margins [N], what full int8 moves each score by [N] -> weights [N] in 0..1.

    Near means: within what int8 moves scores by. Farther out a decision cannot change, but its
    window still tells a little, or a detector that is sure of everything would rank by nothing.
    """
    reach = max(float(np.abs(moved).mean()), 1e-9)
    weights: Floats = 1 / (1 + np.square(margins / reach))
    return weights


def _drawn_together(away: Floats, is_positive: NDArray[np.bool_], weights: Floats) -> float:
    """How far the mean positive falls plus how far the mean negative rises, weighted."""
    lost = 0.0
    for kind, sign in ((is_positive, -1.0), (~is_positive, 1.0)):
        if kind.any():
            lost += sign * float((weights * away)[kind].sum() / weights[kind].sum())
    return lost


def _eer(scores: Floats, is_positive: NDArray[np.bool_]) -> float:
    if is_positive.all() or not is_positive.any():
        return 0.0
    return equal_error_rate(scores, is_positive).eer
