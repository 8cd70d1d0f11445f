"""Evaluations as tables, for the terminal and for a Markdown page alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from earlet_bench.evaluation.binary import BinaryReport, Condition, TandemCost
from earlet_bench.evaluation.evaluation import Evaluation
from earlet_bench.evaluation.intervals import Estimate
from earlet_bench.evaluation.tandem import NOT_COMPARABLE

_NONE = "-"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Words above, rows of cells, the first column text and the others numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """A level-two heading, the table, the notes."""
        lines = [f"## {self.title}", "", _row(self.header)]
        lines.append("|" + "|".join(["---", *["---:"] * (len(self.header) - 1)]) + "|")
        lines += [_row(row) for row in self.rows]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"

    def text(self) -> str:
        """Columns aligned with blanks."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]

        def line(cells: Sequence[str]) -> str:
            first = f"{cells[0]:<{widths[0]}}"
            rest = (f"{c:>{w}}" for c, w in zip(cells[1:], widths[1:], strict=True))
            return "  ".join([first, *rest]).rstrip()

        lines = [self.title, line(self.header), *map(line, self.rows), *self.notes]
        return "\n".join(lines) + "\n"


def tables(evaluations: Sequence[Evaluation]) -> list[Table]:
    """All tables of evaluations on one split, the most important first."""
    binary = [(e.subject, e.binary) for e in evaluations if e.binary is not None]
    found = []
    if binary:
        found += [_summary(binary), *_costs(binary)]
        found += _pools(binary)
        for subject, report in binary:
            found += _conditions(subject, report)
            found.append(_decisions(subject, report))
    found += _classes(evaluations)
    return found


def warnings(evaluations: Sequence[Evaluation]) -> list[str]:
    """What a reader must know before any number."""
    return [
        f"{e.subject}: the EER is above 50 %, so these scores rank the classes the wrong way round "
        f"(negated, the EER would be about {_percent(1 - e.binary.pooled.eer.value)} %). Was the "
        "file written with the other sign? Say so with --higher spoof or --higher bonafide."
        for e in evaluations
        if e.binary is not None and e.binary.reversed_polarity
    ]


def percent(found: Estimate) -> str:
    """`12.3 [10.1, 14.6]`."""
    if found.low is None or found.high is None:
        return _percent(found.value)
    return f"{_percent(found.value)} [{_percent(found.low)}, {_percent(found.high)}]"


def _summary(binary: Sequence[tuple[str, BinaryReport]]) -> Table:
    rows = [
        (
            subject,
            str(r.pooled.bona_fide),
            str(r.pooled.spoof),
            percent(r.pooled.eer),
            _number(r.cllr),
            f"{r.min_cllr:.3f}",
            percent(r.decisions.balanced_accuracy),
        )
        for subject, r in binary
    ]
    return Table(
        title="All trials",
        header=(
            *("subject", "bona fide", "spoof", "EER %", "Cllr", "min Cllr"),
            "balanced accuracy %",
        ),
        rows=tuple(rows),
        notes=(
            "In brackets 95 % intervals from resampling speakers (of spoofed trials: speaker and "
            "attack together). EER by the ASVspoof definition. Cllr in bits takes the scores for "
            "natural log-likelihood ratios; of scores that are none only min Cllr means something.",
        ),
    )


def _costs(binary: Sequence[tuple[str, BinaryReport]]) -> list[Table]:
    if all(r.pooled.legacy is None and r.pooled.revised is None for _, r in binary):
        return []
    return [
        Table(
            title="With a speaker verifier behind",
            header=("subject", "min t-DCF 2019", "min t-DCF 2021", "floor of 2021"),
            rows=tuple(
                (
                    subject,
                    _cost(r.pooled.legacy),
                    _cost(r.pooled.revised),
                    _NONE if r.pooled.revised is None else f"{r.pooled.revised.floor:.4f}",
                )
                for subject, r in binary
            ),
            notes=(f"{NOT_COMPARABLE} Verifier: {binary[0][1].verifier}. The floor of 2019 is 0.",),
        )
    ]


def _pools(binary: Sequence[tuple[str, BinaryReport]]) -> list[Table]:
    names = list(dict.fromkeys(name for _, r in binary for name in r.pools))
    if not names:
        return []
    return [
        Table(
            title="Pools of attacks: EER %",
            header=("subject", *names),
            rows=tuple(
                (subject, *(percent(r.pools[n].eer) if n in r.pools else _NONE for n in names))
                for subject, r in binary
            ),
            notes=("`known`: attacks of the train split; each pool against all bona fide trials.",),
        )
    ]


def _conditions(subject: str, report: BinaryReport) -> list[Table]:
    costs = any(c.legacy or c.revised for c in (*report.attacks, *report.values))
    found = []
    parts = [("attack", report.attacks, [str(c.attack) for c in report.attacks])]
    if report.by is not None:
        parts.append((report.by, report.values, [str(c.value) for c in report.values]))
    for what, conditions, names in parts:
        if not conditions:
            continue
        header: tuple[str, ...] = (what, "bona fide", "spoof", "EER %", "called spoof %")
        if costs:
            header = (*header, "min t-DCF 2019", "min t-DCF 2021", "floor of 2021")
        found.append(
            Table(
                title=f"{subject}: by {what}",
                header=header,
                rows=tuple(
                    _condition(name, c, costs=costs)
                    for name, c in zip(names, conditions, strict=True)
                ),
                notes=(NOT_COMPARABLE,) if costs else (),
            )
        )
    if report.grid:
        found.append(_grid(subject, report, what="EER %", show=lambda c: _percent(c.eer.value)))
        if any(c.revised for c in report.grid):
            found.append(_grid(subject, report, what="min t-DCF 2021", show=_revised))
    return found


def _condition(name: str, found: Condition, *, costs: bool) -> tuple[str, ...]:
    cells = (
        *(name, str(found.bona_fide), str(found.spoof)),
        *(percent(found.eer), _percent(found.detected)),
    )
    if not costs:
        return cells
    floor = _NONE if found.revised is None else f"{found.revised.floor:.4f}"
    return (*cells, _cost(found.legacy), _cost(found.revised), floor)


def _grid(
    subject: str, report: BinaryReport, *, what: str, show: Callable[[Condition], str]
) -> Table:
    """Attacks by values, and all of them in the last row and column, as the challenges print it."""
    everything = (*report.grid, *report.attacks, *report.values, report.pooled)
    cells = {(c.attack, c.value): show(c) for c in everything}
    attacks: list[str | None] = [*(c.attack for c in report.attacks), None]
    values: list[str | None] = [*(c.value for c in report.values), None]
    return Table(
        title=f"{subject}: {what} by attack and {report.by}",
        header=("attack", *(value or "pooled" for value in values)),
        rows=tuple(
            (attack or "pooled", *(cells.get((attack, value), _NONE) for value in values))
            for attack in attacks
        ),
    )


def _revised(found: Condition) -> str:
    return _NONE if found.revised is None else f"{found.revised.minimum.value:.4f}"


def _decisions(subject: str, report: BinaryReport) -> Table:
    found = report.decisions
    (right, false_alarms), (missed, caught) = found.confusion
    return Table(
        title=f"{subject}: decisions at {found.threshold:+.3f} ({found.origin})",
        header=("truth", "said bona fide", "said spoof", "recall %"),
        rows=(
            ("bona fide", str(right), str(false_alarms), _percent(1 - found.false_alarm_rate)),
            ("spoof", str(missed), str(caught), _percent(1 - found.miss_rate)),
        ),
        notes=(
            f"The EER lies at {report.eer_threshold:+.3f}. This is earlet's scale: at the "
            "threshold or above means spoof (ASVspoof files have the opposite sign).",
        ),
    )


def _classes(evaluations: Sequence[Evaluation]) -> list[Table]:
    found = []
    multi = [(e.subject, e.classes) for e in evaluations if e.classes is not None]
    if multi:
        found.append(
            Table(
                title="All classes",
                header=("subject", "macro accuracy %", "accuracy %", "mAP %"),
                rows=tuple(
                    (
                        subject,
                        percent(r.macro_accuracy),
                        percent(r.accuracy),
                        percent(r.mean_average_precision),
                    )
                    for subject, r in multi
                ),
                notes=(
                    "Macro accuracy: the mean of the classes' recalls. In brackets 95 % intervals "
                    "from resampling whole speakers (or places, instruments) within each class.",
                ),
            )
        )
    for subject, r in multi:
        found.append(
            Table(
                title=f"{subject}: by class",
                header=("class", "trials", "recall %", "average precision %"),
                rows=tuple(
                    (label, str(sum(row)), percent(recall), _percent(precision))
                    for label, row, recall, precision in zip(
                        r.labels, r.confusion, r.recalls, r.average_precisions, strict=True
                    )
                ),
            )
        )
        found.append(
            Table(
                title=f"{subject}: confusion (row: truth, column: said)",
                header=("truth", *r.labels),
                rows=tuple(
                    (label, *map(str, row))
                    for label, row in zip(r.labels, r.confusion, strict=True)
                ),
            )
        )
    return found


def _cost(cost: TandemCost | None) -> str:
    return _NONE if cost is None else _number(cost.minimum, digits=4)


def _number(found: Estimate, *, digits: int = 3) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
