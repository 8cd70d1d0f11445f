"""Draws measured rows as one picture: how long a window takes, beside how often it is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earlet.errors import MissingExtra
from earlet_bench.rows import Row
from earlet_bench.table import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that people with any colour vision tell apart (Okabe and Ito).
_COLOURS = {"original": "#999999", "fp32": "#0072B2", "int8": "#D55E00"}
_ABOVE, _BELOW = 0.95, 0.75
_KNOWN, _UNKNOWN = "#009E73", "#CC79A7"


def draw(rows: Sequence[Row], file: Path) -> None:
    """Rows -> a PNG, written beside and renamed. Raises MissingExtra without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra(module="matplotlib", extra="bench") from None

    accurate = any(row.accuracy for row in rows)
    heights = _heights(rows)
    # The axes reach from _ABOVE the first bar to _BELOW the last; the rest is titles and numbers.
    inches = 1.2 + 0.42 * (heights[-1] + _ABOVE + _BELOW)
    figure = Figure(figsize=(10.5 if accurate else 7.0, inches), layout="constrained", dpi=150)
    axes = figure.subplots(
        1, 2 if accurate else 1, sharey=True, squeeze=False, width_ratios=[5, 4][: 1 + accurate]
    )[0]
    _latency(axes[0], rows, heights)
    axes[0].set_yticks(heights, [_label(row) for row in rows])
    axes[0].set_ylim(heights[-1] + _BELOW, heights[0] - _ABOVE)
    if accurate:
        _error_rates(axes[1], rows, heights)
    for at, row in zip(heights, rows, strict=True):
        if row is _first_of_bundle(rows, row):
            axes[0].text(
                0.0,
                at - 0.5,
                f"{row.title}, windows of {plain(row.latency.window_s, digits=3)} s",
                transform=axes[0].get_yaxis_transform(),
                weight="bold",
                fontsize=9,
                va="bottom",
            )
    figure.suptitle(f"{rows[0].device.title} · {_threads(rows)}", fontsize=10, color="#444444")
    beside = file.with_name(f".{file.name}.part")
    try:
        figure.savefig(beside, format="png")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _latency(axes: "Axes", rows: Sequence[Row], heights: Sequence[float]) -> None:
    """Bars to p50, a thick whisker to p90, a thin one to p99; the numbers beside.

    On a busy machine one p99 can be many times everything else; it then leaves the picture with an
    arrow and its number, so that the bars stay legible.
    """
    edge = 2.0 * max(row.latency.p50_ms for row in rows)
    for at, row in zip(heights, rows, strict=True):
        timed = row.latency
        axes.barh(
            at,
            timed.p50_ms,
            height=0.66,
            color=_COLOURS[row.precision],
            alpha=0.85,
            hatch=None if row.parity.passed else "xx",
        )
        end, outside = min(timed.p99_ms, edge), timed.p99_ms > edge
        thick = min(timed.p90_ms, edge)
        axes.plot([timed.p50_ms, thick], [at, at], color="#222222", linewidth=3.2)
        axes.plot([thick, end], [at, at], color="#222222", linewidth=1.0)
        axes.plot([end], [at], marker=">" if outside else "|", markersize=6, color="#222222")
        axes.annotate(
            f"{plain(timed.p50_ms, digits=3)} ms  "
            f"({plain(timed.real_time_factor, digits=2)} of real time"
            + (f"; p99 {plain(timed.p99_ms, digits=3)})" if outside else ")"),
            (end, at),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    # Room on the right for the words beside the longest bar.
    axes.set_xlim(0, 1.95 * min(edge, max(row.latency.p99_ms for row in rows)))
    axes.set_xlabel("ms for one window: bar to p50, thick to p90, thin to p99")
    axes.set_title("Latency", loc="left", fontsize=10)
    _tidy(axes)


def _error_rates(axes: "Axes", rows: Sequence[Row], heights: Sequence[float]) -> None:
    """EER with its 95 % interval: attacks that training saw, and others."""
    styles = (("known", _KNOWN, "o", -0.15), ("unknown", _UNKNOWN, "D", 0.15))
    highest = 50.0
    for pool, colour, marker, shift in styles:
        shown = [
            (at + shift, row.accuracy.pools[pool])
            for at, row in zip(heights, rows, strict=True)
            if row.accuracy and pool in row.accuracy.pools
        ]
        if not shown:
            continue
        values = [100 * rate.eer for _, rate in shown]
        highest = max(highest, *(100 * rate.high for _, rate in shown))
        axes.errorbar(
            values,
            [at for at, _ in shown],
            xerr=[
                [max(0.0, 100 * (rate.eer - rate.low)) for _, rate in shown],
                [max(0.0, 100 * (rate.high - rate.eer)) for _, rate in shown],
            ],
            fmt=marker,
            markersize=5,
            capsize=2.5,
            linewidth=1.3,
            color=colour,
            label=f"{pool} attacks",
        )
    axes.axvline(50, color="#bbbbbb", linewidth=1, linestyle=":")
    # A little left of zero, so that a faultless detector's marks are whole.
    axes.set_xlim(-1.5, highest + 4)
    axes.set_xlabel("EER in % with 95 % interval (dotted: chance)")
    axes.set_title("Error", loc="left", fontsize=10)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8, frameon=False)
    _tidy(axes)


def _tidy(axes: "Axes") -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _heights(rows: Sequence[Row]) -> list[float]:
    """Where each row's bar goes, downwards, with a gap above each bundle for its name."""
    at = 0.0
    heights: list[float] = []
    for row in rows:
        if heights and row is _first_of_bundle(rows, row):
            at += 0.8
        heights.append(at)
        at += 1.0
    return heights


def _first_of_bundle(rows: Sequence[Row], row: Row) -> Row:
    return next(r for r in rows if r.title == row.title)


def _label(row: Row) -> str:
    name = "torch" if row.precision == "original" else row.precision
    if row.threads > 1:
        name += f", {row.threads} threads"
    return name if row.parity.passed else f"{name} (replay failed)"


def _threads(rows: Sequence[Row]) -> str:
    threads = sorted({row.threads for row in rows})
    return "1 thread" if threads == [1] else f"{'/'.join(map(str, threads))} threads"
