"""Numbers and tables as the pages of a bundle write them."""

from collections.abc import Sequence

from earlet.accuracy import Rate
from earlet.metrics import EqualErrorRate


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(eer: EqualErrorRate) -> str:
    """`12.3 % (10.1 to 14.9)`."""
    interval = (
        ""
        if eer.low is None or eer.high is None
        else (f" ({100 * eer.low:.1f} to {100 * eer.high:.1f})")
    )
    return f"{100 * eer.eer:.1f} %{interval}"


def rate_words(rate: Rate) -> str:
    """`12.3 % (10.1 to 14.9)`."""
    return f"{100 * rate.eer:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def decibels(sqnr_db: float | None) -> str:
    """`41.2`, or `exact` where there is no error to compare with."""
    return "exact" if sqnr_db is None else f"{sqnr_db:.1f}"


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The same for a terminal: lines whose columns stand below each other."""
    everything = [header, *rows]
    widths = [max(len(line[i]) for line in everything) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in everything
    ]
