"""The table of the study `streaming`, for the terminal and as a page."""

from collections.abc import Sequence

from earlet_bench.evaluation.tables import Table
from earlet_export.studies.streaming import StreamingRow

_TITLE = "Recipes that stream exactly"
_FIGURES = ("verdict every", "done anew", "fp32 max abs")
_NOTE = (
    "Fresh weights: this shows which networks stream, not how good they are. Done anew: of the "
    "model's multiplications, the part that each window would need again from where the stream "
    "ends; beyond a quarter a stream is refused. fp32 max abs: the stream's logits against those "
    "of the whole windows, on noise. What does not stream is judged window by window, by the same "
    "interface."
)


def streaming_page(rows: Sequence[StreamingRow]) -> str:
    """Rows -> Markdown, reasons in the table."""
    return Table(
        title=_TITLE,
        header=("recipe", "streams exactly?", "where it stops", "why", "what to change", *_FIGURES),
        rows=tuple(cells for row in rows for cells in _lines(row)),
        notes=(_NOTE,),
    ).markdown()


def streaming_text(rows: Sequence[StreamingRow]) -> str:
    """Rows -> for the terminal, reasons below the table."""
    return Table(
        title=_TITLE,
        header=("recipe", "streams exactly?", *_FIGURES),
        rows=tuple((row.recipe, _answer(row), *_figures(row)) for row in rows),
        notes=(_NOTE, *(reason for row in rows for reason in _reasons(row))),
    ).text()


def _lines(row: StreamingRow) -> list[tuple[str, ...]]:
    """A line for each obstacle, the recipe and its figures in the first."""
    head, figures = (row.recipe, _answer(row)), _figures(row)
    if not row.obstacles:
        return [(*head, "", "", "", *figures)]
    lines: list[tuple[str, ...]] = []
    for found in row.obstacles:
        lines.append((*head, found.part, found.why, found.change, *figures))
        head, figures = ("", ""), ("", "", "")
    return lines


def _answer(row: StreamingRow) -> str:
    if not row.streams:
        return "no"
    return "yes" if row.says == "exact" else "yes, if asked"


def _figures(row: StreamingRow) -> tuple[str, str, str]:
    return (
        "" if row.hop_s is None else f"{row.hop_s:.3g} s",
        "" if row.tail_share is None else f"{100 * row.tail_share:.0f} %",
        "" if row.max_abs_logit is None else f"{row.max_abs_logit:.1e}",
    )


def _reasons(row: StreamingRow) -> list[str]:
    return [
        f"{row.recipe}: {found.part}: {found.why}" + (f" ({found.change})" if found.change else "")
        for found in row.obstacles
    ]
