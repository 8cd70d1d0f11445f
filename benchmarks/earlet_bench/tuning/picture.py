"""Draws what was tried: how long until it is known, against how often it is wrong."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from earlet.errors import MissingExtra
from earlet_bench.evaluation.intervals import Estimate
from earlet_bench.tuning.judge import Figures
from earlet_bench.tuning.page import Row
from earlet_bench.tuning.search import Tried, frontier

_GREY, _LINE, _CHOSEN = "#bbbbbb", "#0072B2", "#D55E00"
_OTHERS = (("D", "#009E73"), ("s", "#CC79A7"), ("v", "#E69F00"), ("P", "#56B4E9"))
# Below that, false alarms per hour are drawn on a linear scale, so that none has a place.
_LINEAR_PER_HOUR = 1.0


def draw(
    tried: Sequence[Tried],
    *,
    chosen: Row | None,
    others: Sequence[Row],
    most_per_hour: float,
    title: str,
    file: Path,
) -> None:
    """A PNG, written beside and renamed. Raises MissingExtra without matplotlib.

    `others`: the same policy on other recordings, or another policy on the same.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogFormatter
    except ModuleNotFoundError:
        raise MissingExtra(module="matplotlib", extra="bench") from None

    figure = Figure(figsize=(8.0, 5.4), layout="constrained", dpi=150)
    axes = figure.subplots()
    shown = [t for t in tried if t.figures.median_latency_s is not None]
    axes.scatter(
        [_alarms(t.figures) for t in shown],
        [_seconds(t.figures.median_latency_s) for t in shown],
        s=7,
        color=_GREY,
        linewidths=0,
        label=f"{len(shown)} of {len(tried)} policies that find half or more",
    )
    best = frontier(tried)
    axes.step(
        [_alarms(t.figures) for t in best],
        [_seconds(t.figures.median_latency_s) for t in best],
        where="post",
        color=_LINE,
        linewidth=1.6,
        label="none is better in both",
    )
    if chosen is not None:
        _mark(axes, chosen, mark="o", colour=_CHOSEN)
    for (mark, colour), row in zip(cycle(_OTHERS), others, strict=False):
        _mark(axes, row, mark=mark, colour=colour)
    axes.axvline(most_per_hour, color="#888888", linestyle=":", linewidth=1)
    axes.annotate(
        "allowed",
        (most_per_hour, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-3, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        rotation=90,
        fontsize=8,
        color="#666666",
    )
    axes.set_xscale("symlog", linthresh=_LINEAR_PER_HOUR)
    axes.set_xlim(left=-0.05)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    for set_formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        set_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5)))
    axes.set_xlabel("false alarms per hour")
    axes.set_ylabel("median latency in s, missed ones counted as later than any")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=2)
    beside = file.with_name(f".{file.name}.part")
    try:
        figure.savefig(beside, format="png")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _mark(axes: "object", row: Row, *, mark: str, colour: str) -> None:
    """A point with both its intervals; at the upper edge where half or more is missed."""
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    found = row.figures
    label = f"{row.what}, {row.data}"
    top = axes.dataLim.y1 or 1.0
    alarms = found.false_alarms_per_hour
    if found.median_latency_s is None:
        axes.plot([alarms.value], [top], mark, color=colour, mfc="none", label=f"{label}: never")
        return
    axes.errorbar(
        [alarms.value],
        [found.median_latency_s.value],
        xerr=_whiskers(alarms, top=alarms.value * 10 + 10),
        yerr=_whiskers(found.median_latency_s, top=top),
        fmt=mark,
        color=colour,
        markersize=7,
        capsize=3,
        linewidth=1.2,
        label=label,
    )


def _whiskers(found: Estimate, *, top: float) -> list[list[float]]:
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else min(found.high, max(top, found.value))
    return [[max(0.0, found.value - low)], [max(0.0, high - found.value)]]


def _alarms(found: Figures) -> float:
    return found.false_alarms_per_hour.value


def _seconds(found: Estimate | None) -> float:
    return float("nan") if found is None else found.value
