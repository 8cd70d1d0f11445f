"""Words for what the linter found: for the terminal, and for the report page."""

import textwrap
from collections.abc import Iterator, Mapping

from earlet_export.linter import Finding, Lint
from earlet_export.markdown import table

NAMED = 3


def lint_lines(lint: Lint) -> list[str]:
    """All findings, for the terminal, at most 100 columns."""
    if not lint.findings:
        return [f"Nothing in it runs slower than it must in onnxruntime {lint.onnxruntime}."]
    return [line for finding in lint.findings for line in _paragraph(finding)]


def short_lines(lint: Lint) -> list[str]:
    """One line a finding that is worth naming: what `earlet export` shows."""
    return [
        f"slow: {100 * found.share:.0f} % of the time in {_names(found)}: {found.what} "
        f"({found.flaw})"
        for found in lint.worth_naming()
    ]


def lint_parts(lints: Mapping[str, Lint]) -> list[str]:
    """A section of the report page on each graph, by precision."""
    if not lints:
        return []
    parts = [
        "## What runs slowly, and what to change in the model",
        "Read off the graph that ONNX Runtime makes of the file; shares of the time measured here "
        "(the least of a few runs of each node, on one thread). The last column is a hint, "
        "measured on another network and machine.",
    ]
    for name, lint in lints.items():
        parts.append(
            f"### {name}: the frontend takes {100 * lint.frontend_share:.0f} % of the time"
        )
        parts.append(table(*lint_rows(lint)) if lint.findings else lint_lines(lint)[0])
    return parts


def lint_rows(lint: Lint) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows for the report page."""
    header = ("flaw", "share of time", "nodes", "what to change", "measured elsewhere")
    return header, [
        (
            f"{found.flaw}: {found.what}",
            f"{100 * found.share:.1f} %",
            ", ".join(f"`{name}`" for name in found.nodes[:NAMED])
            + (f" and {len(found.nodes) - NAMED} more" if len(found.nodes) > NAMED else ""),
            found.change,
            found.slower or "-",
        )
        for found in lint.findings
    ]


def _paragraph(found: Finding) -> Iterator[str]:
    yield f"{found.flaw}: {100 * found.share:.1f} % of the time"
    elsewhere = f" Measured elsewhere: {found.slower}." if found.slower else ""
    text = f"{_names(found)} {found.what}. Instead: {found.change}.{elsewhere}"
    yield from textwrap.wrap(text, 98, initial_indent="  ", subsequent_indent="  ")


def _names(found: Finding) -> str:
    shown = ", ".join(found.nodes[:NAMED])
    more = len(found.nodes) - NAMED
    return f"{shown} and {more} more" if more > 0 else shown
