"""What the trainings of `earlet study relevance` say: relative error reductions against log-mel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet_bench.evaluation.tables import Table
from earlet_export.studies.classes import accuracies, shared
from earlet_export.studies.compare import Difference, difference
from earlet_export.studies.draw import Point, bars
from earlet_export.studies.grid import Answer
from earlet_export.studies.study import Findings, percent
from earlet_export.studies.variant import Variant

RULE = (
    "A reduction is the share of the other row's errors (100 % minus macro accuracy) that is gone, "
    "seed by seed. A row is called *better* (*worse*) where the 95 % t-interval of its reductions "
    "lies wholly above (below) 0; else the seeds cannot tell."
)
CLAIMED = "the paper's 10 % on acoustic scenes and 23 % on urban sounds"

# Accuracies in % on DCASE 2020 1A (fold 1) and UrbanSound8K (by patches), by the row here that is
# nearest; the paper's filters are learned in all of them. One head: the best of its three contexts.
PUBLISHED = {
    "log-mel": ("log-mel", 69.5, 52.0),
    "learned": ("Cos-Gauss", 71.1, None),
    "learned-1-head": ("1 head (Table 3, 21 frames)", 71.5, None),
    "learned-2-heads": ("2 heads", 72.6, 63.0),
    "learned-4-heads": ("4 heads (Table 3)", 69.3, None),
}
# Which row is held against which, beside log-mel, and what that asks.
ASKED = (
    ("learned", "fixed", "Learning the filters"),
    ("learned-1-head", "learned", "One relevance head"),
    ("learned-2-heads", "learned", "Two relevance heads"),
    ("learned-4-heads", "learned", "Four relevance heads"),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`short`: which row of its set it is."""

    variant: Variant
    short: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A row with what came out of it: macro accuracy by seed, in 0..1, and its weights."""

    row: Row
    accuracy: Mapping[int, float]
    parameters: int

    def reduction(self, other: "Seen") -> Difference | None:
        """Share of the other's errors that is gone, by seed; None where no seed is common."""
        own, reference = shared(self.accuracy, other.accuracy)
        # Without errors there is nothing to reduce.
        pairs = [(a, b) for a, b in zip(own, reference, strict=True) if b < 1]
        if not pairs:
            return None
        return difference([(a - b) / (1 - b) for a, b in pairs], [0.0] * len(pairs))


def find_relevance(answers: Sequence[Answer], out: Path, *, rows: Sequence[Row]) -> Findings:
    """Any part of the trainings -> accuracies and relative error reductions, and verdicts."""
    seen: dict[str, dict[str, Seen]] = {}
    for row in rows:
        accuracy = accuracies(answers, row.variant)
        if accuracy:
            weights = {a.done.parameters for a in answers if a.variant.name == row.variant.name}
            one = Seen(row=row, accuracy=accuracy, parameters=max(weights))
            seen.setdefault(row.variant.set, {})[row.short] = one
    picture = bars(
        {name: _points(name, rows, own) for name, own in seen.items()},
        out / "relevance-accuracy.png",
        measure="macro accuracy on eval in %",
        title="80 bands each: mean and standard deviation over seeds (dots)",
    )
    told = [sentence for name, own in seen.items() for sentence in _of_set(name, own)]
    return Findings(
        answers=(*told, RULE),
        tables=(*(_table(name, own) for name, own in seen.items()), _published()),
        pictures=(picture,),
    )


def _of_set(name: str, own: Mapping[str, Seen]) -> list[str]:
    told = []
    for short, one in own.items():
        gone = None if short == "log-mel" else _against(own, short, "log-mel")
        if gone is not None:
            heads = f" (beside {CLAIMED})" if short == "learned-2-heads" else ""
            told.append(
                f"**{name}, {one.row.variant.title}**: {_percent(one)} % macro accuracy against "
                f"{_percent(own['log-mel'])} % of log-mel, {gone.points} % of its errors "
                f"gone{heads}: {verdict(gone)}."
            )
    for short, other, words in ASKED:
        gone = _against(own, short, other)
        if gone is not None:
            told.append(
                f"{name}: {words}: {gone.points} % of the errors of "
                f"*{own[other].row.variant.title}* gone: {verdict(gone)}."
            )
    return told


def _against(own: Mapping[str, Seen], short: str, other: str) -> Difference | None:
    return own[short].reduction(own[other]) if {short, other} <= own.keys() else None


def verdict(gone: Difference) -> str:
    """Reductions by seed -> the verdict of `RULE`."""
    if gone.low > 0:
        return "better"
    if gone.high < 0:
        return "worse"
    seeds = len(gone.values)
    return f"cannot be told from {seeds} seed" + "s" * (seeds > 1)


def _table(name: str, own: Mapping[str, Seen]) -> Table:
    rows = []
    for short, one in own.items():
        gone = None if short == "log-mel" else _against(own, short, "log-mel")
        rows.append(
            (
                one.row.variant.title,
                str(len(one.accuracy)),
                f"{one.parameters:,}",
                _percent(one),
                "-" if gone is None else gone.points,
                "-" if gone is None else verdict(gone),
            )
        )
    return Table(
        title=f"{name}: macro accuracy % on eval, mean ± standard deviation over seeds",
        header=(
            *("row", "seeds", "parameters", "macro accuracy %"),
            *("errors of log-mel gone %", "verdict"),
        ),
        rows=tuple(rows),
        notes=("In brackets the 95 % t-interval over the seeds of both; above 0 is better.",),
    )


def _published() -> Table:
    """The paper's own rows, with the reductions that follow from them."""
    _, scenes, sounds = PUBLISHED["log-mel"]
    assert sounds is not None
    rows = []
    for words, on_scenes, on_sounds in PUBLISHED.values():
        gone = 100 * (on_scenes - scenes) / (100 - scenes)
        cells = [f"{on_scenes:.1f}", f"{gone:+.1f}", "-", "-"]
        if on_sounds is not None:
            gone = 100 * (on_sounds - sounds) / (100 - sounds)
            cells[2:] = [f"{on_sounds:.0f}", f"{gone:+.1f}"]
        rows.append((words, *cells))
    return Table(
        title="As published, on other sets: accuracy %",
        header=(
            *("row", "DCASE 2020 1A", "errors of log-mel gone %"),
            *("UrbanSound8K", "errors of log-mel gone %"),
        ),
        rows=tuple(rows),
        notes=(
            "From the paper. UrbanSound8K was counted patch by patch, with another classifier and "
            "other heads (a softmax over bands); with that classifier the filters of the authors' "
            "earlier work had 58 %.",
        ),
    )


def _points(name: str, rows: Sequence[Row], own: Mapping[str, Seen]) -> list[Point]:
    """Every row of the set, those without trainings empty, so that panels have the same rows."""
    return [
        Point(
            name=row.variant.title,
            values=_values(own[row.short]) if row.short in own else [],
        )
        for row in rows
        if row.variant.set == name
    ]


def _values(one: Seen) -> list[float]:
    return [accuracy for _, accuracy in sorted(one.accuracy.items())]


def _percent(one: Seen) -> str:
    return percent(_values(one))
