"""Draws the study of pictures: confusion as the student project shows it, and bars by attack."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earlet_export.studies.draw import COLOURS
from earlet_export.studies.images_rows import Outcome, Seen
from earlet_train.atomic import write_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Confusion = tuple[tuple[float, float], tuple[float, float]]

HUMAN, KNOWN, UNKNOWN = COLOURS[0], COLOURS[1], COLOURS[2]


def draw_confusions(
    columns: Mapping[str, Sequence[Seen]],
    file: Path,
    *,
    published: Mapping[str, Confusion],
    title: str,
) -> Path:
    """Row's title -> its trainings, one column of matrices each: rows human, spoof; percent.

    The first line is the network's own decision, the second the threshold chosen on dev, the third
    what is `published` of a title. Means over the seeds. -> `file`.
    """
    from matplotlib.figure import Figure

    lines = ["at its own decision", "at the threshold\nchosen on dev"]
    if published.keys() & columns.keys():
        lines.append("the student project,\nas published")
    figure = Figure(
        figsize=(1.3 + 1.75 * len(columns), 0.9 + 1.75 * len(lines)),
        layout="constrained",
        dpi=150,
    )
    panels = figure.subplots(len(lines), len(columns), squeeze=False)
    for column, (name, seen) in enumerate(columns.items()):
        own, chosen = (
            np.mean([_confusion(outcome) for outcome in outcomes], axis=0)
            for outcomes in ([s.own for s in seen], [s.chosen for s in seen])
        )
        drawn = [own, chosen]
        if len(lines) > len(drawn):
            drawn.append(np.array(published.get(name, ())))
        for line, shares in enumerate(drawn):
            panel = panels[line, column]
            if not shares.size:
                panel.set_axis_off()
                continue
            _matrix(panel, shares)
            if column == 0:
                panel.set_ylabel(lines[line], fontsize=8, weight="bold")
        panels[0, column].set_title(_in_lines(name), fontsize=8)
    if len(lines) == 3 and next(iter(columns)) not in published:
        # Its column has no first panel whose label says what the line is.
        panels[2, 0].set_axis_on()
        panels[2, 0].set(xticks=[], yticks=[], frame_on=False)
        panels[2, 0].set_ylabel(lines[2], fontsize=8, weight="bold")
    figure.suptitle(_across(title, figure), fontsize=9)
    write_beside(file, lambda target: figure.savefig(target, format="png"))
    return file


def draw_attacks(
    columns: Mapping[str, Sequence[Seen]],
    file: Path,
    *,
    known: frozenset[str],
    title: str,
) -> Path:
    """Row's title -> its trainings, a panel of bars each: human, then every attack. -> `file`.

    Bars are the network's own decision, dots its seeds, diamonds the threshold chosen on dev.
    """
    from matplotlib.figure import Figure

    names = ["human", *dict.fromkeys(a for s in columns.values() for a in s[0].own.by_attack)]
    figure = Figure(
        figsize=(1.2 + 1.75 * len(columns), 1.9 + 0.27 * len(names)), layout="constrained", dpi=150
    )
    panels = figure.subplots(1, len(columns), squeeze=False, sharey=True)[0]
    for panel, (row, seen) in zip(panels, columns.items(), strict=True):
        for at, name in enumerate(names):
            own = [100 * _right(s.own, name) for s in seen]
            chosen = [100 * _right(s.chosen, name) for s in seen]
            panel.barh(at, np.mean(own), height=0.7, color=_colour(name, known), alpha=0.7)
            panel.plot(own, [at] * len(own), ".", color="#222222", markersize=3)
            panel.plot(
                np.mean(chosen), at, "D", markersize=4.5, color="white", markeredgecolor="#222222"
            )
        panel.set_xlim(0, 103)
        panel.set_xticks([0, 50, 100])
        panel.grid(axis="x", color="#dddddd", linewidth=0.6)
        panel.set_axisbelow(True)
        panel.tick_params(labelsize=8)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
        panel.set_title(_in_lines(row), fontsize=8)
        panel.set_xlabel("right, %", fontsize=8)
    panels[0].set_yticks(range(len(names)), names, fontsize=8)
    panels[0].invert_yaxis()
    _legend(panels[0], known=bool(known))
    figure.legend(fontsize=7.5, loc="outside lower center", ncols=min(6, len(columns)))
    figure.suptitle(_across(title, figure), fontsize=9)
    write_beside(file, lambda target: figure.savefig(target, format="png"))
    return file


def _in_lines(title: str) -> str:
    """The remedy, a title's last word, on a line of its own."""
    *others, remedy = title.rsplit(", ", 1)
    return "\n".join([fill(part, 24) for part in (*others, remedy)])


def _across(title: str, figure: "Figure") -> str:
    """Broken where the figure ends: letters of 9 points are about a thirteenth of an inch wide."""
    return fill(title, int(13 * figure.get_figwidth()))


def _matrix(panel: "Axes", shares: NDArray[np.float64]) -> None:
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        panel.text(
            column,
            row,
            f"{100 * share:.0f} %",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share > 0.55 else "#222222",
        )
    panel.set_xticks([0, 1], ["human", "spoof"], fontsize=7)
    panel.set_yticks([0, 1], ["human", "spoof"], fontsize=7, rotation=90, va="center")
    panel.tick_params(length=0)


def _confusion(outcome: Outcome) -> Confusion:
    return (outcome.human, 1 - outcome.human), (1 - outcome.spoof, outcome.spoof)


def _right(outcome: Outcome, name: str) -> float:
    return outcome.human if name == "human" else outcome.by_attack.get(name, np.nan)


def _colour(name: str, known: frozenset[str]) -> str:
    if name == "human":
        return HUMAN
    return KNOWN if name in known or not known else UNKNOWN


def _legend(panel: "Axes", *, known: bool) -> None:
    """Empty marks that carry the legend's words."""
    panel.barh(0, 0, color=HUMAN, alpha=0.7, label="human")
    panel.barh(0, 0, color=KNOWN, alpha=0.7, label="attack of training" if known else "attack")
    if known:
        panel.barh(0, 0, color=UNKNOWN, alpha=0.7, label="attack never trained on")
    panel.plot([], [], ".", color="#222222", markersize=3, label="each seed")
    panel.plot(
        [],
        [],
        "D",
        markersize=4.5,
        color="white",
        markeredgecolor="#222222",
        label="at the threshold chosen on dev",
    )
