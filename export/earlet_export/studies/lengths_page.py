"""The table of the study `lengths`, for the terminal and as a page."""

from collections.abc import Sequence

from earlet_bench.evaluation.tables import Table
from earlet_export.studies.lengths import LengthRow

_HEADER = (
    *("recipe", "any length", "from", "tried, samples", "features SQNR dB"),
    *("fp32 max abs", "int8 max abs", "fp32 time", "int8 time"),
)


def lengths_table(rows: Sequence[LengthRow]) -> Table:
    """Rows -> one table; what fixes a length stands in the notes."""
    return Table(
        title="Recipes whose graphs take any length",
        header=_HEADER,
        rows=tuple(_cells(row) for row in rows),
        notes=(*_NOTES, *(f"**{row.recipe}**: {row.why_not}" for row in rows if row.why_not)),
    )


_NOTES = (
    "Fresh weights; batch norms and int8 know golden signals and noise: this shows which networks "
    "leave the length open, not how good they are. Asked at each length: six golden signals, each "
    "alone and three at once, against PyTorch; the worst length counts.",
    "Time: of one window through the open graph, over that through the graph of one length, one "
    "thread, interleaved in one run.",
)


def _cells(row: LengthRow) -> tuple[str, ...]:
    if not row.found:
        return (row.recipe, "no", *[""] * (len(_HEADER) - 2))
    slower = dict(row.slower)
    quiet = [
        apart.features.sqnr_db
        for at in row.found
        for apart in at.graphs.values()
        if apart.features.sqnr_db is not None
    ]
    return (
        row.recipe,
        "no" if row.why_not else "yes",
        f"{row.open_from_samples / row.sample_rate_hz:.3g} s",
        ", ".join(str(at.samples) for at in row.found),
        f"{min(quiet):.0f}" if quiet else "equal",
        *(
            f"{max(at.graphs[name].logits.max_abs for at in row.found):.1e}"
            for name in ("fp32", "int8")
        ),
        *(f"{slower[name]:.2f}" for name in ("fp32", "int8")),
    )
