"""Lays the rows of the study `systems` out, for a terminal and as Markdown."""

from collections.abc import Sequence

from earlet_export.description_page import giga
from earlet_export.studies.published import Count
from earlet_export.studies.systems import SystemRow

_COLUMNS = (
    "recipe", "features", "parameters", "GMAC", "int8 %", "s/epoch", "dev EER %", "by heart",
    "fp32 max |Δ|", "int8 max |Δ|", "flips", "int8/fp32 time", "fp32 MB", "int8 MB",
)  # fmt: skip


def terminal(rows: Sequence[SystemRow], counts: Sequence[Count], *, corpus: str) -> str:
    """Rows and counts -> two tables of text and what their columns mean."""
    cells = [_COLUMNS, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_COLUMNS))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join([*lines, "", *_notes(rows, corpus), "", *_published(counts)])


def markdown(rows: Sequence[SystemRow], counts: Sequence[Count], *, corpus: str) -> str:
    """The same as a page of Markdown."""
    lines = ["# Recipes, from training to int8", ""]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|---" + "|--:" * (len(_COLUMNS) - 1) + "|"]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(r)) + " |" for r in rows
    ]
    lines[2] = lines[2].replace("|Δ|", "\\|Δ\\|")
    lines += [
        "",
        *(f"- {note}" for note in _notes(rows, corpus)),
        "",
        "## Published counts, rebuilt",
        "",
    ]
    lines += ["| what | published | counted | |", "|---|--:|--:|---|"]
    lines += [
        f"| {c.what} | {c.published:,} | {c.counted:,} | {'equal' if c.equal else '**differs**'} |"
        for c in counts
    ]
    return "\n".join(lines) + "\n"


def _cells(row: SystemRow) -> tuple[str, ...]:
    return (
        row.recipe,
        "x".join(map(str, row.features)),
        f"{row.parameters:,}",
        giga(row.macs),
        f"{100 * row.int8_share:.1f}",
        f"{row.seconds_per_epoch:.0f}",
        f"{100 * row.dev_eer:.1f}",
        _steps(row),
        f"{row.fp32_max_abs_logit:.1e}",
        f"{row.int8_max_abs_logit:.2f}",
        f"{row.int8_flips}/{row.decisions}",
        f"{row.int8_ms / row.fp32_ms:.2f}",
        f"{row.fp32_bytes / 1e6:.2f}",
        f"{row.int8_bytes / 1e6:.2f}",
    )


def _notes(rows: Sequence[SystemRow], corpus: str) -> list[str]:
    epochs = " or ".join(map(str, sorted({row.epochs for row in rows})))
    recordings = " or ".join(map(str, sorted({row.recordings for row in rows})))
    return [
        f"Trained for {epochs} epochs on {recordings} recordings of {corpus!r}, with the recipe's "
        "seed: this shows that everything runs, not how good it gets.",
        "GMAC: multiplications per window, frontend included, in 10^9. int8 %: share of them in "
        "int8. by heart: training steps until none of 32 clips was judged wrongly.",
        "max |Δ|: largest difference of a logit from PyTorch's, on golden signals and real "
        "recordings at several levels. flips: dev decisions that int8 changed.",
        "int8/fp32 time: one window, one thread, interleaved in one run.",
    ]


def _published(counts: Sequence[Count]) -> list[str]:
    width = max(len(count.what) for count in counts)
    return [
        f"{count.what.ljust(width)}  published {count.published:>11,}  counted {count.counted:>11,}"
        f"  {'equal' if count.equal else 'DIFFERS'}"
        for count in counts
    ]


def _steps(row: SystemRow) -> str:
    """`34 steps`, and of how many clips, where not of the recipe's own number."""
    if row.overfit_steps is None:
        return "never"
    return f"{row.overfit_steps} steps" + (f" of {row.overfit_batch}" if row.overfit_batch else "")
