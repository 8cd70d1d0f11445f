"""The table of the study `exports`, for the terminal and as a page, with what its columns mean."""

from collections.abc import Sequence

from earlet_bench.evaluation.tables import Table
from earlet_export.studies.exports import MOST_EER_INCREASE, Failed
from earlet_export.studies.exports_rows import ExportRow

_HEADER = (
    *(
        "run",
        "recipe",
        "trained on",
        "EER %",
        "fp32 max abs",
        "int8 flips",
        "int8 EER change (95 %)",
        "kept",
    ),
    *("fp32 kB", "int8 kB", "int8/fp32 time", "model alone", "fp32/torch time"),
    *("in float", "graph"),
)


def exports_table(rows: Sequence[ExportRow | Failed]) -> Table:
    """Rows, done or failed -> one table; each broken or failed row has its reason in the notes."""
    done = [row for row in rows if isinstance(row, ExportRow)]
    return Table(
        title="Exports of every trained detector",
        header=_HEADER,
        rows=tuple(_cells(row) for row in done),
        notes=(*_notes(done), *(f"**{r.run}**: no row. {r.why}" for r in _failed(rows))),
    )


def _cells(row: ExportRow) -> tuple[str, ...]:
    return (
        row.run,
        row.recipe,
        f"{row.epochs} x {row.recordings}{', int8 in mind' if row.tuned_from else ''}",
        f"{100 * row.original_eer:.2f}",
        f"{row.fp32_max_abs_logit:.1e}",
        f"{row.flips} of {row.decisions}",
        f"{100 * row.eer_change:+.2f} ({100 * row.low:+.2f} to {100 * row.high:+.2f})",
        "no" if row.why else "yes",
        f"{row.fp32_bytes / 1e3:.0f}",
        f"{row.int8_bytes / 1e3:.0f}",
        f"{row.int8_to_fp32:.2f}",
        "" if row.model_int8_to_fp32 is None else f"{row.model_int8_to_fp32:.2f}",
        f"{row.fp32_to_torch:.2f}",
        str(row.in_float),
        row.graph.removeprefix("int8, ") if "in float" in row.graph else f"all {row.graph}",
    )


def _notes(rows: Sequence[ExportRow]) -> list[str]:
    corpora = ", ".join(sorted({row.corpus for row in rows}))
    notes = [
        "Trained on: epochs until the best one, times recordings. EER: of PyTorch. fp32 max abs: "
        "largest difference of a logit from PyTorch's over golden signals and recordings under all "
        "conditions. int8 EER change: in points on the dev recordings of "
        f"{corpora or 'no corpus'}, its interval resampled in pairs over voices and machines; "
        f"kept: it rises by at most {100 * MOST_EER_INCREASE:g} points and no more decisions "
        "change than the recipe promises. Times: one window on one thread, interleaved in one run, "
        "processor time; model alone: int8/fp32 from features on. In float: layers that the recipe "
        "or the search keeps there, beside the frontend and the last layer; corrected: with biases "
        "by which each layer gives on average what it gives in float. Sizes: graphs, without their "
        "manifest."
    ]
    tuned = [f"{row.run} from {row.tuned_from}" for row in rows if row.tuned_from]
    if tuned:
        notes.append(
            "Fine-tuned with int8's rounding in mind, EER and its change those of the run before: "
            f"{', '.join(tuned)}."
        )
    slower = [row.run for row in rows if row.int8_to_fp32 >= 1]
    if slower:
        notes.append(f"int8 is no faster than fp32 here for {', '.join(slower)}: ship fp32.")
    for row in rows:
        if row.why:
            notes.append(f"**{row.run}**: {'; '.join(row.why)}. {_reason(row)}".rstrip())
    return notes


def _reason(row: ExportRow) -> str:
    """What the numbers say about a broken promise."""
    said = [] if row.tried is None else [f"{row.tried} int8 graphs were tried."]
    if row.low <= 0 <= row.high:
        said.append("The interval of the change holds zero: it is within chance.")
    if row.hugs_the_threshold:
        said.append(
            f"The scores hug the threshold (half of them within {row.margin:.2g}, and int8 moves "
            f"them by {row.moved:.2g}), as after {row.epochs} epoch"
            f"{'s' if row.epochs > 1 else ''} of training: any rounding changes such decisions."
        )
    return " ".join(said)


def _failed(rows: Sequence[ExportRow | Failed]) -> list[Failed]:
    return [row for row in rows if isinstance(row, Failed)]
