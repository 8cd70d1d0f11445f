"""Draws what a study found: bars with deviations, or a measure over what it costs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet_export.studies.study import mean_and_deviation
from earlet_train.atomic import write_beside

# Colours that people with any colour vision tell apart (Okabe and Ito).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
MARKERS = "os^Dv*P"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One row of a study in a picture: `values` in 0..1, one per seed; `x`: what it costs."""

    name: str
    values: Sequence[float]
    x: float = 0.0


def bars(
    groups: Mapping[str, Sequence[Point]],
    file: Path,
    *,
    measure: str,
    title: str,
    chance: float | None = None,
) -> Path:
    """Group -> its rows, drawn as horizontal bars, a panel per group; the seeds as dots. -> `file`.

    `chance`: where guessing lies, as a dotted line.
    """
    from matplotlib.figure import Figure

    rows = max(map(len, groups.values()))
    figure = Figure(
        figsize=(3.2 + 3.2 * len(groups), 1.3 + 0.36 * rows), layout="constrained", dpi=150
    )
    panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
    for panel, (name, points) in zip(panels, groups.items(), strict=True):
        for at, point in enumerate(points):
            if not point.values:
                continue
            mean, deviation = mean_and_deviation(point.values)
            panel.barh(at, 100 * mean, height=0.72, color=COLOURS[0], alpha=0.75)
            if not math.isnan(deviation):
                panel.errorbar(
                    100 * mean, at, xerr=100 * deviation, color="#222222", linewidth=1.1, capsize=2
                )
            panel.plot([100 * v for v in point.values], [at] * len(point.values), ".", color="#222")
            panel.annotate(
                f"{100 * mean:.1f}",
                (100 * max(mean + (0 if math.isnan(deviation) else deviation), *point.values), at),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7,
            )
        if chance is not None:
            panel.axvline(100 * chance, color="#999999", linestyle=":", linewidth=1)
        panel.set_title(name, fontsize=9)
        panel.set_xlabel(measure, fontsize=8)
        panel.margins(x=0.12)
        panel.set_xlim(left=0)
        panel.tick_params(labelsize=8)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
        panel.set_yticks(range(len(points)), [point.name for point in points], fontsize=8)
    panels[0].invert_yaxis()
    figure.suptitle(title, fontsize=9)
    write_beside(file, lambda target: figure.savefig(target, format="png"))
    return file


def over_cost(
    panels_of: Mapping[str, Mapping[str, Sequence[Point]]],
    file: Path,
    *,
    measure: str,
    cost: str,
    title: str,
) -> Path:
    """Panel -> series -> its rows, as lines of a measure over what each row costs. -> `file`.

    A series of one row is a level line too, so that the others can be held against it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 + 4.2 * len(panels_of), 4.2), layout="constrained", dpi=150)
    panels = figure.subplots(1, len(panels_of), squeeze=False)[0]
    for panel, (name, series) in zip(panels, panels_of.items(), strict=True):
        for index, (label, points) in enumerate(series.items()):
            drawn = sorted((p for p in points if p.values), key=lambda p: p.x)
            if not drawn:
                continue
            found = [mean_and_deviation(p.values) for p in drawn]
            colour = COLOURS[index % len(COLOURS)]
            if len(drawn) == 1:
                panel.axhline(100 * found[0][0], color=colour, linestyle=":", linewidth=1)
            panel.errorbar(
                [p.x for p in drawn],
                [100 * mean for mean, _ in found],
                yerr=[0 if math.isnan(d) else 100 * d for _, d in found],
                color=colour,
                marker=MARKERS[index % len(MARKERS)],
                markersize=5,
                linewidth=1.2,
                capsize=2,
                label=label,
            )
        panel.set_title(name, fontsize=9)
        panel.set_xlabel(cost, fontsize=8)
        panel.set_ylabel(measure, fontsize=8)
        panel.grid(color="#e4e4e4", linewidth=0.6)
        panel.set_axisbelow(True)
        panel.tick_params(labelsize=8)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    panels[-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
    figure.suptitle(title, fontsize=9)
    write_beside(file, lambda target: figure.savefig(target, format="png"))
    return file
