"""What came of the study of fusion: each alone and fused, by pool, by attack, and in pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet_bench.evaluation.pictures import draw_all
from earlet_bench.evaluation.tables import Table
from earlet_export.studies.compare import RULE, Difference
from earlet_export.studies.fused import Fused, fusions, margin
from earlet_export.studies.grid import Answer
from earlet_export.studies.measures import eval_set, judged, of_variant
from earlet_export.studies.rates import (
    Rates,
    against,
    by_attack,
    by_pool,
    near_chance,
    of_pool,
    of_row,
    rates,
)
from earlet_export.studies.study import Findings, mean_and_deviation, percent
from earlet_export.studies.variant import Variant

# Of the speakers, for every interval.
RESAMPLES = 200


def find(variants: Sequence[Variant], answers: Sequence[Answer], out: Path) -> Findings:
    """Any part of the trainings -> each alone and fused, by pool and attack, and what it gives."""
    singles = [v for v in variants if of_variant(answers, v)]
    made = fusions(variants, answers)
    found = [rates(a) for a in (*answers, *(b for f in made for b in f.answers))]
    # All systems together, or as many as there are so far.
    together = [f for f in made if len(f.members) == max(len(g.members) for g in made)][:2]
    pairs = [f for f in made if f not in together]
    rows = [*singles, *(f.row for f in made)]
    note = (
        "mean: of raw scores, as published; logistic: weights learned on dev, which chose the "
        "epochs too and so flatters itself."
    )
    tables = [
        by_pool(rows, found, notes=(note,)),
        by_attack([*singles, *(f.row for f in together)], found),
    ]
    said = [] if together else ["No seed has two systems trained yet: nothing to fuse."]
    for fused in together:
        gains = _gains(fused, answers, found)
        tables.append(_gain_table(fused, gains))
        said += [_headline(fused, answers, found), _attacks_won(fused, gains)]
    if made:
        tables.append(_weights(made))
    if pairs:
        tables.append(by_attack([f.row for f in pairs], found, what="Pairs"))
    said += near_chance(singles, found)
    shown = [of_variant(answers, v)[0] for v in singles] + [f.answers[0] for f in together]
    if together and len(together[0].answers) > 1:
        said.append(RULE)
    return Findings(
        answers=tuple(said), tables=tuple(tables), pictures=tuple(_pictures(shown, out))
    )


@dataclass(frozen=True, kw_only=True)
class Gain:
    """One attack: what the fusion has, and the single system that is best at it."""

    attack: str
    fused: float
    best: Variant
    alone: float
    margin: Difference


def _gains(fused: Fused, answers: Sequence[Answer], found: Sequence[Rates]) -> list[Gain]:
    """Each attack's best single system is told by eval itself, which favours the single ones."""
    seeds = {a.done.seed for a in fused.answers}
    gains = []
    for attack in of_row(found, fused.row)[0].attacks:
        alone = {
            v.name: mean_and_deviation(
                [r.attacks[attack] for r in of_row(found, v) if r.seed in seeds]
            )[0]
            for v in fused.members
        }
        best = min(fused.members, key=lambda v: alone[v.name])
        gains.append(
            Gain(
                attack=attack,
                fused=mean_and_deviation([r.attacks[attack] for r in of_row(found, fused.row)])[0],
                best=best,
                alone=alone[best.name],
                margin=margin(
                    fused.answers,
                    _same_seeds(answers, best, fused),
                    attacks=frozenset([attack]),
                    resamples=RESAMPLES,
                ),
            )
        )
    return gains


def _headline(fused: Fused, answers: Sequence[Answer], found: Sequence[Rates]) -> str:
    """The fusion against the single system that dev would choose."""
    best = min(fused.members, key=lambda v: mean_and_deviation(of_pool(found, v, "dev"))[0])
    one = margin(
        fused.answers, _same_seeds(answers, best, fused), attacks=None, resamples=RESAMPLES
    )
    alone, both = (mean_and_deviation(of_pool(found, row, "all"))[0] for row in (best, fused.row))
    said = (
        f"**{fused.row.title}**: {_on(found, fused.row)}; {best.title}, the best on dev alone: "
        f"{_on(found, best)}. That is {one.points} points on eval"
        + (f", {100 * (both / alone - 1):+.0f} % relative" if alone else "")
        + f": {_told(one)}."
    )
    seeds = against(found, fused.row, best, "all")
    if seeds is not None and len(seeds.values) > 1:
        said += f" Seed by seed: {seeds.points}, {seeds.verdict}."
    return said


def _attacks_won(fused: Fused, gains: Sequence[Gain]) -> str:
    lower = [g.attack for g in gains if g.fused < g.alone]
    sure = [g.attack for g in gains if g.margin.high < 0]
    rest = [g.attack for g in gains if g.attack not in lower]
    return (
        f"**{fused.row.title}** has a lower EER than every single system on "
        f"{len(lower)} of {len(gains)} attacks ({', '.join(lower) or 'none'}), by more than "
        f"resampled speakers explain on {', '.join(sure) or 'none'}; not lower on "
        f"{', '.join(rest) or 'none'}."
    )


def _gain_table(fused: Fused, gains: Sequence[Gain]) -> Table:
    row = fused.row
    known = eval_set(row.corpus).known or ()
    return Table(
        title=f"{row.title}: EER % on eval of {row.set} against the best single system, by attack",
        header=("attack", "fused", "best alone", "which", "difference in points"),
        rows=tuple(
            (
                g.attack + ("" if g.attack in known else " (unknown)"),
                f"{100 * g.fused:.1f}",
                f"{100 * g.alone:.1f}",
                g.best.title,
                g.margin.points,
            )
            for g in gains
        ),
        notes=(
            "Means over seeds. The best single system is picked for each attack by eval itself, "
            "which favours the single ones. In brackets 95 % intervals from resampling speakers, "
            "the same for both.",
        ),
    )


def _weights(made: Sequence[Fused]) -> Table:
    members = list({v.name: v for fused in made for v in fused.members}.values())
    rows = []
    for fused in made:
        shares = dict(
            zip((v.name for v in fused.members), zip(*fused.weights, strict=True), strict=True)
        )
        cells = (
            f"{mean_and_deviation(shares[v.name])[0]:+.2f}" if v.name in shares else "-"
            for v in members
        )
        rows.append((fused.row.title, *cells))
    return Table(
        title="What each system weighs in a fusion, mean over seeds",
        header=("fusion", *(v.title for v in members)),
        rows=tuple(rows),
        notes=(
            "Weight times the standard deviation of the system's raw scores on dev; only within a "
            "row to be compared. Below 0: dev finds it wrong once the others are heard.",
        ),
    )


def _pictures(shown: Sequence[Answer], out: Path) -> list[Path]:
    """DET curves, histograms, bars of pools and attacks, confusion: of one seed each."""
    folder = out / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw_all([judged(answer, resamples=RESAMPLES) for answer in shown], folder)
    # Beside the page, which names them without a folder.
    kept = [file.replace(out / f"fusion-{file.name}") for file in drawn]
    folder.rmdir()
    return kept


def _same_seeds(answers: Sequence[Answer], single: Variant, fused: Fused) -> list[Answer]:
    seeds = {a.done.seed for a in fused.answers}
    return [a for a in of_variant(answers, single) if a.done.seed in seeds]


def _on(found: Sequence[Rates], row: Variant) -> str:
    dev, everything = (percent(of_pool(found, row, pool)) for pool in ("dev", "all"))
    return f"EER {everything} % on eval, {dev} % on dev"


def _told(one: Difference) -> str:
    if one.high < 0:
        return "fusion is better, by more than resampled speakers explain"
    if one.low > 0:
        return "fusion is worse, by more than resampled speakers explain"
    return "other speakers could turn it round"
