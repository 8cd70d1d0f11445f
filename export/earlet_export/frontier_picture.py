"""Draws the frontier of an export: what each int8 graph loses, over how long it takes."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from earlet_export.frontier import Point
from earlet_train.atomic import write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONTIER_PICTURE = "frontier.png"
# Colours that people with any colour vision tell apart (Okabe and Ito).
_COLOURS = {"kept": "#0072B2", "broken": "#D55E00", "chosen": "#009E73"}
# Area of the largest file's marker, in square points; the others in proportion to their bytes.
_LARGEST = 520.0


def draw_frontier(points: Sequence[Point], file: Path) -> Path:
    """Points -> `file`, a PNG as `frontier_png` makes it, whole or not at all."""
    content = frontier_png(points)
    write_beside(file, lambda beside: beside.write_bytes(content))
    return file


def frontier_png(points: Sequence[Point]) -> bytes:
    """Points -> the bytes of a PNG: change of the dev EER over time relative to fp32.

    A marker's area is the file's size. Points that were not timed are left out.
    """
    from matplotlib.figure import Figure

    timed = [point for point in points if point.ratio_to_fp32 is not None]
    figure = Figure(figsize=(9.6, 4.4), layout="constrained", dpi=150)
    axes = figure.subplots()
    _markers(axes, timed)
    axes.axhline(0.0, color="#888888", linewidth=0.8, linestyle=":")
    axes.set_xlabel("time of one window, relative to fp32 (one thread)")
    axes.set_ylabel("change of the dev EER, points")
    axes.set_title("What each graph loses, over how long it takes (area: size)", fontsize=10)
    axes.set_xlim(0, 1.1 * max([1.0, *(point.ratio_to_fp32 or 0.0 for point in timed)]))
    axes.margins(y=0.2)
    # Names beside the picture: graphs that differ little would write over each other.
    figure.legend(loc="outside right upper", fontsize=8, frameon=False, markerscale=0.5)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def _markers(axes: "Axes", timed: Sequence[Point]) -> None:
    """A numbered marker for each point, blue where it keeps the promise, green where chosen."""
    largest = max((point.size_bytes for point in timed), default=1)
    for number, point in enumerate(timed, start=1):
        place = (point.ratio_to_fp32 or 0.0, 100 * point.eer_change)
        word = "chosen" if point.chosen else "kept" if point.holds else "broken"
        area = _LARGEST * point.size_bytes / largest
        axes.scatter(
            *place,
            s=area,
            color=_COLOURS[word],
            alpha=0.75,
            edgecolor="white",
            linewidth=0.8,
            label=f"{number}  {point.name}: {point.size_bytes / 1e3:.0f} kB, {word}",
        )
        axes.annotate(
            str(number),
            place,
            xytext=(2 + area**0.5 / 2, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
