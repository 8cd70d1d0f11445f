"""What the trainings of `earlet study diffres` say: accuracy with fewer frames, and its cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet_bench.evaluation.tables import Table
from earlet_export.studies.classes import accuracies, shared
from earlet_export.studies.compare import Difference, difference
from earlet_export.studies.cost import Cost, costs
from earlet_export.studies.draw import Point, over_cost
from earlet_export.studies.grid import Answer
from earlet_export.studies.study import Findings, percent
from earlet_export.studies.variant import Variant

MARGIN, ENOUGH = 0.01, 0.25
RULE = (
    "Accuracy *holds* where the 95 % t-interval of the differences, seed by seed, lies wholly "
    f"above -{100 * MARGIN:g} point, and *does not hold* where it lies wholly below 0; a row is "
    "*better* or *worse* than another where the interval excludes 0. Otherwise the seeds cannot "
    "tell."
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`kind`: the adapter's, `none` without; `method`: what tables call it."""

    variant: Variant
    method: str
    kind: str
    delta: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A row with what came out of it: macro accuracy by seed, in 0..1."""

    row: Row
    accuracy: Mapping[int, float]
    cost: Cost

    def against(self, other: "Seen") -> Difference | None:
        """Its accuracy minus the other's; None where no seed is common."""
        own, reference = shared(self.accuracy, other.accuracy)
        return difference(own, reference) if own else None


def find_diffres(answers: Sequence[Answer], out: Path, *, rows: Sequence[Row]) -> Findings:
    """Any part of the trainings -> accuracy and cost, and what that says of the claim."""
    seen: dict[str, list[Seen]] = {}
    for name in dict.fromkeys(row.variant.set for row in rows):
        own = [row for row in rows if row.variant.set == name]
        found = [(row, accuracies(answers, row.variant)) for row in own]
        if not any(accuracy for _, accuracy in found):
            continue
        # Timed once, all of them: a cost does not wait for its training.
        prices = costs([row.variant for row in own], out=out, on_step=lambda _: None)
        seen[name] = [
            Seen(row=row, accuracy=accuracy, cost=prices[row.variant.name])
            for row, accuracy in found
        ]
    picture = over_cost(
        {name: _series(own) for name, own in seen.items()},
        out / "diffres-cost.png",
        measure="macro accuracy on eval in %",
        cost="million multiplications per window, frontend and reduction included",
        title="Fewer frames: accuracy (mean and standard deviation over seeds) over work",
    )
    told = [sentence for name, own in seen.items() for sentence in _of_set(name, own)]
    return Findings(
        answers=(*_conclusion(seen), *told, RULE),
        tables=tuple(
            table for name, own in seen.items() for table in (_all(name, own), *_pairs(name, own))
        ),
        pictures=(picture,),
    )


def _conclusion(seen: Mapping[str, Sequence[Seen]]) -> list[str]:
    """The claim itself, with the compute of the whole detector and of the classifier alone."""
    told = []
    for what, is_whole in (
        ("the whole detector, scorer included,", True),
        ("the classifier", False),
    ):
        verdicts = [
            f"{name}, {100 * one.row.delta:.0f} % fewer frames: {holds(change)}"
            for name, own in seen.items()
            for one in own
            if one.row.kind == "diffres"
            and (change := _against_whole(one, own)) is not None
            and saving(one, own[0], whole=is_whole) >= ENOUGH
        ]
        told.append(
            f"**Does DiffRes hold accuracy where {what} multiplies at least "
            f"{100 * ENOUGH:.0f} % less?** "
            + ("; ".join(verdicts) if verdicts else "None of these rows saves so much")
            + "."
        )
    return told


def _of_set(name: str, own: Sequence[Seen]) -> list[str]:
    whole, told = own[0], []
    for one in own:
        change = _against_whole(one, own)
        if one.row.kind != "diffres" or change is None:
            continue
        beside = [
            f"{other.row.method} {gap.points} ({compared(gap)})"
            for other in own
            if other.row.delta == one.row.delta
            and other.row.kind != "diffres"
            and (gap := one.against(other)) is not None
        ]
        told.append(
            f"**{name}, {100 * one.row.delta:.0f} % fewer frames**: DiffRes {_percent(one)} % "
            f"macro accuracy, without reduction {_percent(whole)} %, difference {change.points} "
            f"points: {holds(change)}. Multiplications: the classifier's "
            f"{_less(saving(one, whole, whole=False))}, the whole detector's "
            f"{_less(saving(one, whole, whole=True))}; processor time "
            f"{_less(1 - one.cost.relative)}."
            + (f" DiffRes minus the others at as many frames: {', '.join(beside)}." * bool(beside))
        )
    return [*told, *_break_even(name, own)]


def _break_even(name: str, own: Sequence[Seen]) -> list[str]:
    """How large a classifier must be for the scorer and the warp to earn what they cost."""
    rows = [one for one in own if one.row.kind == "diffres"]
    frontend = own[0].cost.macs - own[0].cost.model_macs
    needed = [(one.cost.macs - one.cost.model_macs - frontend) / one.row.delta for one in rows]
    if not needed:
        return []
    parts = ", ".join(
        f"{macs / 1e6:.0f} million at {100 * one.row.delta:.0f} %"
        for one, macs in zip(rows, needed, strict=True)
    )
    return [
        f"{name}: DiffRes earns back what its scorer and its warp multiply in front of a "
        f"classifier of more than {parts} of fewer frames; the one here multiplies "
        f"{own[0].cost.model_macs / 1e6:.0f} million times."
    ]


def _against_whole(one: Seen, own: Sequence[Seen]) -> Difference | None:
    """Against no reduction, which stands first."""
    return one.against(own[0])


def saving(one: Seen, other: Seen, *, whole: bool) -> float:
    """Share of the other's multiplications that a row does not need: all, or the classifier's."""
    if whole:
        return 1 - one.cost.macs / other.cost.macs
    return 1 - one.cost.model_macs / other.cost.model_macs


def holds(change: Difference) -> str:
    """Accuracy minus that without reduction -> the verdict of `RULE`."""
    if change.high < 0:
        return "does not hold"
    if change.low > -MARGIN:
        return "holds"
    return _untold(change)


def compared(gap: Difference) -> str:
    """Accuracy minus another's -> the verdict of `RULE`."""
    if gap.low > 0:
        return "better"
    return "worse" if gap.high < 0 else _untold(gap)


def _untold(change: Difference) -> str:
    seeds = len(change.values)
    return f"cannot be told from {seeds} seed" + "s" * (seeds > 1)


def _all(name: str, own: Sequence[Seen]) -> Table:
    rows = []
    for one in own:
        if not one.accuracy:
            continue
        change = _against_whole(one, own) if one is not own[0] else None
        rows.append(
            (
                one.row.method,
                f"{100 * one.row.delta:g}",
                str(len(one.accuracy)),
                _percent(one),
                "-" if change is None else change.points,
                f"{one.cost.macs / 1e9:.4f}",
                f"{one.cost.model_macs / 1e9:.4f}",
                f"{one.cost.fp32_ms:.2f}",
                f"{100 * one.cost.relative:.0f}",
            )
        )
    return Table(
        title=f"{name}: macro accuracy % on eval, mean ± standard deviation over seeds, and cost",
        header=(
            *("row", "frames saved %", "seeds", "macro accuracy %", "points to no reduction"),
            *("GMAC", "of it the classifier", "ms", "time % of no reduction"),
        ),
        rows=tuple(rows),
        notes=(
            "In brackets the 95 % t-interval over the seeds of both. GMAC, ms: one window, as "
            "exported in fp32; milliseconds by ONNX Runtime on one thread, all rows in turns, so "
            "that their ratio means something. All rows compute all frames of the log-mel first. "
            "The means of AvgPool and its kin are products with a matrix, and counted as such.",
        ),
    )


def _pairs(name: str, own: Sequence[Seen]) -> list[Table]:
    """DiffRes against each baseline at the same number of frames."""
    rows = []
    kinds = {one.row.kind: one.row.method for one in own[1:] if one.row.kind != "diffres"}
    for one in own:
        if one.row.kind != "diffres" or not one.accuracy:
            continue
        others = {o.row.kind: o for o in own if o.row.delta == one.row.delta}
        gaps = [one.against(others[kind]) for kind in kinds if kind in others]
        if any(gap is not None for gap in gaps):
            cells = ("-" if gap is None else f"{gap.points}, {compared(gap)}" for gap in gaps)
            rows.append((f"{100 * one.row.delta:g}", *cells))
    if not rows:
        return []
    return [
        Table(
            title=f"{name}: macro accuracy of DiffRes minus that of the others, in points",
            header=("frames saved %", *kinds.values()),
            rows=tuple(rows),
            notes=("Above 0 DiffRes is better.",),
        )
    ]


def _series(own: Sequence[Seen]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for one in own:
        values = [accuracy for _, accuracy in sorted(one.accuracy.items())]
        point = Point(name=one.row.variant.name, values=values, x=one.cost.macs / 1e6)
        found.setdefault(one.row.method, []).append(point)
    return found


def _percent(one: Seen) -> str:
    return percent([accuracy for _, accuracy in sorted(one.accuracy.items())])


def _less(share: float) -> str:
    """Share that is saved -> `24 % less`, or `12 % more`."""
    if math.isclose(share, 0, abs_tol=0.005):
        return "the same"
    return f"{100 * abs(share):.0f} % {'less' if share > 0 else 'more'}"
