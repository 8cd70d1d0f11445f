"""Everything that is said of a detector of spoofed speech on one split, worked out from scores."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from earlet.labelled import LabelledSet
from earlet.protocol import KEYS, Trial
from earlet_bench.evaluation.asv_scores import Verifier
from earlet_bench.evaluation.calibration_cost import cllr, min_cllr
from earlet_bench.evaluation.curve import Curve, Ranking, check_soft
from earlet_bench.evaluation.intervals import (
    RESAMPLES,
    SEED,
    Estimate,
    estimate,
    estimates,
    groups_of,
)
from earlet_bench.evaluation.tandem import min_t_dcf

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TandemCost:
    """A minimal t-DCF and its floor, which no detector can go below with this verifier."""

    minimum: Estimate
    floor: float


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Error rates on a part of the trials. `attack`, `value`: None where not narrowed down.

    An attack is judged against all bona fide trials (of that `value`), as the challenges do; so is
    a `value` that only spoofed trials have.
    `detected`: the part of the spoofed trials that the decision threshold finds.
    """

    attack: str | None
    value: str | None
    bona_fide: int
    spoof: int
    eer: Estimate
    detected: float
    legacy: TandemCost | None = None
    revised: TandemCost | None = None


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What one threshold gives, in 0..1; on earlet's scale: at or above it means spoof.

    `confusion`: rows bona fide, spoof; columns said to be bona fide, said to be spoof.
    `balanced_accuracy`: the mean of the two classes' recalls.
    """

    threshold: float
    origin: str
    miss_rate: float
    false_alarm_rate: float
    balanced_accuracy: Estimate
    confusion: tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class BinaryReport:
    """All rates in 0..1; `eer_threshold` is on earlet's scale, higher = spoof.

    `reversed_polarity`: the EER is above 50 %, so the scores rank the classes the wrong way round.
    `pools`: attacks that training knew, others, and so on, where that is told. `attacks`, `values`
    (of the column `by`) and `grid` (one of each) narrow the trials down.
    """

    pooled: Condition
    eer_threshold: float
    reversed_polarity: bool
    cllr: Estimate
    min_cllr: float
    decisions: Decisions
    pools: dict[str, Condition]
    attacks: tuple[Condition, ...]
    by: str | None
    values: tuple[Condition, ...]
    grid: tuple[Condition, ...]
    verifier: str | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to judge. `by`: a column of the corpus that conditions are made of (`codec`).

    `resamples`: of the intervals, 0 for none.
    """

    verifier: Verifier | None = None
    by: str | None = None
    resamples: int = RESAMPLES


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """Trials with their scores, and what every condition is cut from."""

    scores: Floats = field(repr=False)
    trials: Sequence[Trial] = field(repr=False)
    spoof: Bools = field(repr=False)
    systems: NDArray[np.str_] = field(repr=False)
    values: NDArray[np.str_] | None = field(repr=False)
    threshold: float
    settings: Settings


def report_binary(
    scores: Floats,
    labelled: LabelledSet,
    *,
    threshold: float,
    threshold_origin: str,
    settings: Settings | None = None,
) -> BinaryReport:
    """Scores [N], higher = spoof, of the set's trials -> BinaryReport.

    Raises UsageError on decisions instead of scores, scores that are not finite, a class missing.
    """
    settings = settings or Settings()
    trials = labelled.trials
    spoof = np.array([t.is_spoof for t in trials])
    # The challenges' sign from here to the curve: higher = bona fide.
    curve = Ranking(-scores, ~spoof).curve()
    check_soft(scores)
    by = settings.by
    scored = _Scored(
        scores=scores,
        trials=trials,
        spoof=spoof,
        systems=np.array([t.system for t in trials]),
        values=None if by is None else np.array([t.extras.get(by, "") for t in trials]),
        threshold=threshold,
        settings=settings,
    )
    attacks = [str(a) for a in np.unique(scored.systems[spoof])]
    values = [] if scored.values is None else [str(v) for v in np.unique(scored.values) if v]
    return BinaryReport(
        pooled=_required(_condition(scored)),
        eer_threshold=-_between(curve),
        reversed_polarity=curve.eer > 0.5,
        cllr=_with_interval(scored, lambda weights: cllr(scores, spoof, weights)),
        min_cllr=min_cllr(scores, spoof),
        decisions=_decisions(scored, origin=threshold_origin),
        pools=_pools(scored, labelled),
        attacks=tuple(_present(_condition(scored, attack=attack) for attack in attacks)),
        by=by,
        values=tuple(_present(_condition(scored, value=value) for value in values)),
        grid=tuple(
            _present(
                _condition(scored, attack=attack, value=value, resamples=0)
                for attack in attacks
                for value in values
            )
        ),
        verifier=None if settings.verifier is None else settings.verifier.source,
    )


def is_binary(labels: Sequence[str]) -> bool:
    """Whether these are the two labels of spoofing."""
    return set(labels) == set(KEYS)


def _condition(
    scored: _Scored,
    *,
    attack: str | None = None,
    value: str | None = None,
    attacks: frozenset[str] | None = None,
    resamples: int | None = None,
) -> Condition | None:
    """The rates on the trials chosen; None where a class is missing among them.

    `attacks`: a pool of them, without a verifier's cost.
    """
    chosen = np.ones(len(scored.trials), dtype=bool)
    if attack is not None:
        attacks = frozenset([attack])
    if attacks is not None:
        chosen &= ~scored.spoof | np.isin(scored.systems, sorted(attacks))
    if value is not None and scored.values is not None:
        of_value = scored.values == value
        # What only spoofed trials have (a vocoder, a replay device) is judged, as an attack is,
        # against all bona fide ones.
        chosen &= of_value if (of_value & ~scored.spoof).any() else of_value | ~scored.spoof
    spoof = scored.spoof[chosen]
    if spoof.all() or not spoof.any():
        return None
    trials = [t for t, kept in zip(scored.trials, chosen, strict=True) if kept]
    ranking = Ranking(-scored.scores[chosen], ~spoof)

    verifier = scored.settings.verifier
    legacy = revised = None
    if verifier is not None and (attacks is None or attack is not None):
        legacy = verifier.legacy(attack=attack, codec=value)
        revised = verifier.revised(attack=attack, codec=value)
    costs = [weights for weights in (legacy, revised) if weights is not None]

    def rates(weights: Floats) -> list[float]:
        """[EER, the cost of each of `costs`]."""
        curve = ranking.curve(weights)
        return [curve.eer, *(min_t_dcf(curve, coefficients) for coefficients in costs)]

    eer, *minima = estimates(
        rates,
        groups=groups_of(trials),
        classes=[t.key for t in trials],
        rng=np.random.default_rng(SEED),
        resamples=scored.settings.resamples if resamples is None else resamples,
    )
    left = iter(minima)
    return Condition(
        attack=attack,
        value=value,
        bona_fide=int((~spoof).sum()),
        spoof=int(spoof.sum()),
        eer=eer,
        detected=float(np.mean(scored.scores[chosen][spoof] >= scored.threshold)),
        legacy=None if legacy is None else TandemCost(minimum=next(left), floor=legacy.floor),
        revised=None if revised is None else TandemCost(minimum=next(left), floor=revised.floor),
    )


def _required(condition: Condition | None) -> Condition:
    """All trials hold both classes: the ranking of them has checked it."""
    assert condition is not None
    return condition


def _present(conditions: Iterable[Condition | None]) -> list[Condition]:
    return [condition for condition in conditions if condition is not None]


def _pools(scored: _Scored, labelled: LabelledSet) -> dict[str, Condition]:
    pools = {
        name: _condition(scored, attacks=attacks)
        for name, attacks in labelled.pools().items()
        if name != "pooled"
    }
    return {name: found for name, found in pools.items() if found is not None}


def _decisions(scored: _Scored, *, origin: str) -> Decisions:
    said_spoof = scored.scores >= scored.threshold
    spoof = scored.spoof
    correct = (said_spoof == spoof).astype(np.float64)

    def balanced(weights: Floats) -> float:
        recalls = [(correct @ (weights * own)) / (weights * own).sum() for own in (~spoof, spoof)]
        return float(np.mean(recalls))

    (right_bona_fide, false_alarms), (missed, right_spoof) = (
        (int((~said_spoof & own).sum()), int((said_spoof & own).sum())) for own in (~spoof, spoof)
    )
    return Decisions(
        threshold=scored.threshold,
        origin=origin,
        miss_rate=missed / (missed + right_spoof),
        false_alarm_rate=false_alarms / (false_alarms + right_bona_fide),
        balanced_accuracy=_with_interval(scored, balanced),
        confusion=((right_bona_fide, false_alarms), (missed, right_spoof)),
    )


def _with_interval(scored: _Scored, statistic: Callable[[Floats], float]) -> Estimate:
    return estimate(
        statistic,
        groups=groups_of(scored.trials),
        classes=[t.key for t in scored.trials],
        rng=np.random.default_rng(SEED),
        resamples=scored.settings.resamples,
    )


def _between(curve: Curve) -> float:
    """The challenges' threshold at the EER, moved halfway to the next score.

    Theirs is the last score that is rejected; a decision at that very score would accept it.
    """
    k = curve.equal_error
    above = curve.thresholds[min(k + 1, len(curve.thresholds) - 1)]
    return float(curve.thresholds[k] + above) / 2
