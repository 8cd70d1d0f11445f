"""The tables of the study `streaming`, for the terminal and as a page."""

from collections.abc import Iterator, Sequence

from earlet_bench.evaluation.tables import Table
from earlet_bench.stream_rows import Agreement
from earlet_bench.table import plain
from earlet_export.studies.streaming import StreamingRow
from earlet_export.studies.streaming_measured import PRECISIONS, Measured

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
    which = Table(
        title=_TITLE,
        header=("recipe", "streams exactly?", "where it stops", "why", "what to change", *_FIGURES),
        rows=tuple(cells for row in rows for cells in _lines(row)),
        notes=(_NOTE,),
    )
    return "\n".join(table.markdown() for table in (*_measured(rows), which))


def streaming_text(rows: Sequence[StreamingRow]) -> str:
    """Rows -> for the terminal, reasons below the table."""
    which = Table(
        title=_TITLE,
        header=("recipe", "streams exactly?", *_FIGURES),
        rows=tuple((row.recipe, _answer(row), *_figures(row)) for row in rows),
        notes=(_NOTE, *(reason for row in rows for reason in _reasons(row))),
    )
    return "\n".join(table.text() for table in (*_measured(rows), which))


def _measured(rows: Sequence[StreamingRow]) -> Iterator[Table]:
    """Equality and cost, where they were measured; a recipe has a row in each."""
    found = [(row, row.measured) for row in rows if row.measured is not None]
    if not found:
        return
    _, first = found[0]
    failed = tuple(
        f"FAILED, {row.recipe}: {'; '.join(said.failures)}." for row, said in found if said.failures
    )
    speech = "" if first.real else " Give recordings with --data."
    shortest = min(said.sound_s for _, said in found)
    yield Table(
        title="Streams against their windows, untrained",
        header=(
            "recipe",
            *(f"{name} max abs" for name in PRECISIONS),
            *(f"{name} windows identical" for name in PRECISIONS),
            *("verdicts that differ", "pieces", f"{first.equal[0].company.streams} at once"),
        ),
        rows=tuple((row.recipe, *_equality(said)) for row, said in found),
        notes=(
            f"Heard: {shortest:.0f} s or more of {first.sound}.{speech} Weights are fresh: their "
            "verdicts mean nothing, their arithmetic is that of trained ones. max abs: the largest "
            "|stream - offline| of a logit over all windows; identical: to the last bit. pieces: "
            "the same verdicts, bit by bit, whether the sound comes in pieces of 1 sample (two "
            "dozen verdicts), 37, 10 ms, one chunk or 10 s; at once: so many streams in one run of "
            "the graph, each with the bits that it has alone.",
            *failed,
        ),
    )
    yield Table(
        title="What they cost, untrained",
        header=(
            *("recipe", "parameters", "verdict every"),
            *("MMAC/s, window anew", "MMAC/s, stream"),
            *(f"{name} {way}, ms/s" for name in PRECISIONS for way in ("window", "stream")),
            *(f"{name} ratio" for name in PRECISIONS),
        ),
        rows=tuple((row.recipe, *_cost(row, said)) for row, said in found),
        notes=(
            "For a second of sound with a verdict as often as the stream gives one: millions of "
            "multiplications, frontend included; processor milliseconds of one thread, through the "
            "public Stream, where window computes every window anew. Interleaved in one run for "
            "each recipe, medians. ratio: of that stream to fp32 windows; it cannot fall below "
            "what a verdict's distance is of a window, but for int8. Ratios compare, milliseconds "
            "are of this machine and moment.",
        ),
    )


def _equality(said: Measured) -> tuple[str, ...]:
    agreed = [one.agreement for one in said.equal]
    pieces = [cut.piece_samples for one in said.equal for cut in one.cuts if not cut.identical]
    return (
        *map(_away, agreed),
        *(f"{one.identical} of {one.windows}" for one in agreed),
        str(sum(one.differ for one in agreed)),
        "DIFFER: " + ", ".join(map(str, sorted({*pieces}))) if pieces else "identical",
        "identical" if all(one.company.identical for one in said.equal) else "DIFFER",
    )


def _away(said: Agreement) -> str:
    return "not finite" if said.max_abs_logit is None else f"{said.max_abs_logit:.1e}"


def _cost(row: StreamingRow, said: Measured) -> tuple[str, ...]:
    ways = [f"{name} {way}" for name in PRECISIONS for way in ("window", "stream")]
    return (
        f"{said.parameters:,}",
        "" if row.hop_s is None else f"{row.hop_s:.3g} s",
        f"{said.window_macs_per_s / 1e6:,.0f}",
        f"{said.stream_macs_per_s / 1e6:,.0f}",
        *(plain(said.cost(way).cpu_ms_per_s, digits=3) for way in ways),
        *(f"{said.cost(f'{name} stream').ratio:.3f}" for name in PRECISIONS),
    )


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
