"""Fuses what several trainings answered, and holds the fusion against each of them."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earlet.metrics import equal_error_rate
from earlet_bench.evaluation.curve import Ranking
from earlet_bench.evaluation.fusion import logistic_fusion, mean_fusion
from earlet_bench.evaluation.intervals import SEED, estimates, groups_of
from earlet_export.studies.compare import Difference
from earlet_export.studies.grid import Answer
from earlet_export.studies.measures import dev_labels, eval_set, of_variant
from earlet_export.studies.variant import Variant

Floats = NDArray[np.float64]
Kind = Literal["mean", "logistic"]
KINDS: tuple[Kind, ...] = ("mean", "logistic")


@dataclass(frozen=True, kw_only=True)
class Fused:
    """A fusion of some rows of a study as a row of its own; `answers`: one per seed of all.

    `weights`: per seed, of each member, times the spread of its scores on dev, which makes them
    comparable.
    """

    kind: Kind
    members: tuple[Variant, ...]
    row: Variant
    answers: tuple[Answer, ...]
    weights: tuple[tuple[float, ...], ...]


def fusions(variants: Sequence[Variant], answers: Sequence[Answer]) -> list[Fused]:
    """All rows fused, then every pair of them, by either kind; those with a seed all members have.

    Nothing but dev decides a weight or a threshold.
    """
    together = [tuple(variants)] if len(variants) > 2 else []
    found = []
    for members in [*together, *combinations(variants, 2)]:
        own = [{a.done.seed: a for a in of_variant(answers, v)} for v in members]
        seeds = sorted(set.intersection(*map(set, own)))
        for kind in KINDS if seeds else ():
            row = _row(members, kind, of=len(variants))
            made = tuple(_fuse([of_seed[s] for of_seed in own], row, kind) for s in seeds)
            found.append(
                Fused(
                    kind=kind,
                    members=members,
                    row=row,
                    answers=tuple(answer for answer, _ in made),
                    weights=tuple(weights for _, weights in made),
                )
            )
    return found


def raw(answer: Answer) -> tuple[Floats, Floats]:
    """The network's own log-odds of spoof, dev and eval: what was published is fused of these."""
    done = answer.done
    return (answer.dev - done.even_odds) / done.scale, (answer.eval - done.even_odds) / done.scale


def margin(
    fused: Sequence[Answer],
    single: Sequence[Answer],
    *,
    attacks: frozenset[str] | None,
    resamples: int,
) -> Difference:
    """EER on eval of one row minus that of another, both in the same order of seeds.

    `attacks`: only those, against all bona fide; None: all. The interval is from resampling
    speakers, the same for both rows: other speakers for these detectors, not other seeds.
    """
    trials = eval_set(fused[0].variant.corpus).trials
    chosen = [
        i for i, t in enumerate(trials) if not t.is_spoof or attacks is None or t.system in attacks
    ]
    own = [trials[i] for i in chosen]
    bona_fide = np.array([not t.is_spoof for t in own])
    pairs = [
        [Ranking(-answer.eval[chosen], bona_fide) for answer in pair]
        for pair in zip(fused, single, strict=True)
    ]

    def of_each_seed(weights: Floats) -> list[float]:
        return [a.curve(weights).eer - b.curve(weights).eer for a, b in pairs]

    def statistics(weights: Floats) -> list[float]:
        return [float(np.mean(of_each_seed(weights)))]

    (mean,) = estimates(
        statistics,
        groups=groups_of(own),
        classes=[t.key for t in own],
        rng=np.random.default_rng(SEED),
        resamples=resamples,
    )
    return Difference(
        values=tuple(of_each_seed(np.ones(len(own)))),
        mean=mean.value,
        low=math.nan if mean.low is None else mean.low,
        high=math.nan if mean.high is None else mean.high,
    )


def _row(members: Sequence[Variant], kind: Kind, *, of: int) -> Variant:
    short = " + ".join(v.title.removesuffix("-ResNet") for v in members)
    title = f"all {of}, {kind}" if len(members) == of > 2 else f"{short}, {kind}"
    name = "-".join([kind, *(v.name for v in members)])
    return dataclasses.replace(members[0], name=name, title=title)


def _fuse(members: Sequence[Answer], row: Variant, kind: Kind) -> tuple[Answer, tuple[float, ...]]:
    """Answers of one seed -> one, with the threshold at the EER of dev, and `Fused.weights`."""
    dev, evaluation = map(np.stack, zip(*(raw(answer) for answer in members), strict=True))
    is_spoof = dev_labels(row.corpus)
    fuse = mean_fusion(len(members)) if kind == "mean" else logistic_fusion(dev, is_spoof)
    done = dataclasses.replace(
        members[0].done,
        variant=row.name,
        parameters=sum(answer.done.parameters for answer in members),
        threshold=equal_error_rate(fuse(dev), is_spoof).threshold,
        even_odds=0.0,
        scale=1.0,
    )
    weights = tuple(float(w) for w in np.array(fuse.weights) * dev.std(axis=1))
    return Answer(variant=row, done=done, dev=fuse(dev), eval=fuse(evaluation)), weights
