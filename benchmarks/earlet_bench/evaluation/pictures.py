"""Draws evaluations: DET curve, score histogram, confusion, and bars of every condition."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earlet.errors import MissingExtra
from earlet_bench.evaluation.binary import BinaryReport
from earlet_bench.evaluation.curve import Ranking
from earlet_bench.evaluation.evaluation import Judged
from earlet_bench.evaluation.intervals import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# Colours that people with any colour vision tell apart (Okabe and Ito).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_BONA_FIDE, _SPOOF, _GREY = "#0072B2", "#D55E00", "#777777"
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_LONGEST_NAME = 28


def draw_all(judged: Sequence[Judged], folder: Path) -> list[Path]:
    """Everything there is to draw, as PNG files in `folder`; -> their paths. Raises MissingExtra.

    Each is written beside and renamed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra(module="matplotlib", extra="bench") from None

    binary = [j for j in judged if j.evaluation.binary is not None]
    classes = [j for j in judged if j.evaluation.classes is not None]
    plans: list[tuple[str, Callable[[Figure], None], tuple[float, float]]] = []
    if binary:
        rows = sum(1 + len(c) for _, c in _bars(binary))
        plans += [
            ("det.png", lambda figure: _det(figure, binary), (6.6, 6.2)),
            (
                "histogram.png",
                lambda figure: _histograms(figure, binary),
                (7.5, 1.0 + 2.3 * len(binary)),
            ),
            (
                "conditions.png",
                lambda figure: _conditions(figure, _bars(binary), binary),
                (7.5, 1.6 + rows * (0.12 + 0.16 * len(binary))),
            ),
        ]
    if classes:
        labels = max(len(j.evaluation.classes.labels) for j in classes if j.evaluation.classes)
        plans.append(
            ("recall.png", lambda figure: _recalls(figure, classes), (7.5, 1.4 + 0.3 * labels))
        )
    side = 3.4 if binary else min(12.0, 2.6 + 0.42 * labels)
    plans.append(
        ("confusion.png", lambda figure: _confusions(figure, judged), (side * len(judged), side))
    )
    written = []
    for name, draw, size in plans:
        figure = Figure(figsize=size, layout="constrained", dpi=150)
        draw(figure)
        figure.suptitle(_caption(judged), fontsize=8, color="#444444")
        written.append(folder / name)
        _save(figure, folder / name)
    return written


def _det(figure: "Figure", judged: Sequence[Judged]) -> None:
    """Misses over false alarms on normal-deviate axes: Gaussian scores give straight lines."""
    from scipy.special import ndtri

    axes = figure.subplots()
    lowest = 0.5
    for colour, one in zip(_cycle(len(judged)), judged, strict=True):
        report = _binary(one)
        spoof = np.array([t.is_spoof for t in one.trials])
        curve = Ranking(-one.scores, ~spoof).curve()
        # A rate of 0 or 1 lies at infinity: half a trial is where the line leaves the picture.
        least = (0.5 / spoof.sum(), 0.5 / (~spoof).sum())
        x, y = (
            ndtri(np.clip(rate, half, 1 - half))
            for rate, half in zip((curve.false_alarm, curve.miss), least, strict=True)
        )
        lowest = min(lowest, *(2 * half for half in least))
        axes.plot(x, y, color=colour, linewidth=1.5, label=_name(one))
        axes.plot(
            *[ndtri(np.clip(report.pooled.eer.value, max(least), 1 - max(least)))] * 2,
            marker="o",
            color=colour,
            markersize=6,
        )
        at = report.decisions
        axes.plot(
            ndtri(np.clip(at.miss_rate, least[0], 1 - least[0])),
            ndtri(np.clip(at.false_alarm_rate, least[1], 1 - least[1])),
            marker="X",
            color=colour,
            markeredgecolor="black",
            markersize=8,
            linestyle="",
        )
    ticks = [t for t in _TICKS if t >= lowest]
    low, high = ndtri(max(lowest, ticks[0]) * 0.8), ndtri(0.92)
    axes.plot([low, high], [low, high], color=_GREY, linewidth=0.8, linestyle=":")
    axes.plot([], [], "o", color=_GREY, label="equal error rate")
    axes.plot([], [], "X", color=_GREY, markeredgecolor="black", label="the decision threshold")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ndtri(np.array(ticks)), [f"{100 * t:g}" for t in ticks])
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=8)
    axes.set_xlabel("spoofed speech taken for bona fide, %")
    axes.set_ylabel("bona fide speech rejected, %")
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, loc="upper right")


def _histograms(figure: "Figure", judged: Sequence[Judged]) -> None:
    """Densities of both classes' scores, a row per subject."""
    rows = figure.subplots(len(judged), 1, squeeze=False)[:, 0]
    for axes, one in zip(rows, judged, strict=True):
        report = _binary(one)
        spoof = np.array([t.is_spoof for t in one.trials])
        # The farthest half percent would squeeze everything else into the middle.
        low, high = np.percentile(one.scores, [0.25, 99.75])
        bins = np.linspace(low, high, 51)
        for name, own, colour in (("bona fide", ~spoof, _BONA_FIDE), ("spoof", spoof, _SPOOF)):
            axes.hist(
                np.clip(one.scores[own], low, high),
                bins=bins,
                density=True,
                color=colour,
                alpha=0.55,
                label=f"{name} ({own.sum()})",
            )
        at = report.decisions
        axes.axvline(
            at.threshold, color="black", linewidth=1.2, label=f"threshold {at.threshold:+.2f}"
        )
        axes.axvline(
            report.eer_threshold,
            color=_GREY,
            linestyle="--",
            linewidth=1.2,
            label=f"equal error {report.eer_threshold:+.2f}",
        )
        axes.set_title(_name(one), loc="left", fontsize=9)
        axes.set_ylabel("density", fontsize=8)
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
        _tidy(axes)
    rows[-1].set_xlabel("score (higher = spoof); the farthest half percent is drawn at the edges")


Bars = list[tuple[str, list[tuple[str, list[Estimate | None]]]]]


def _bars(judged: Sequence[Judged]) -> Bars:
    """Heading -> condition -> the EER of each subject, in order; None where it has none."""
    reports = [_binary(one) for one in judged]
    parts: Bars = []
    pools = list(dict.fromkeys(name for r in reports for name in r.pools))
    rows: list[tuple[str, list[Estimate | None]]] = [
        ("all trials", [r.pooled.eer for r in reports])
    ]
    rows += [(n, [r.pools[n].eer if n in r.pools else None for r in reports]) for n in pools]
    parts.append(("pools", rows))
    attacks = list(dict.fromkeys(str(c.attack) for r in reports for c in r.attacks))
    found = [{str(c.attack): c.eer for c in r.attacks} for r in reports]
    parts.append(("attacks", [(a, [f.get(a) for f in found]) for a in attacks]))
    if reports[0].by is not None:
        values = list(dict.fromkeys(str(c.value) for r in reports for c in r.values))
        found = [{str(c.value): c.eer for c in r.values} for r in reports]
        parts.append((reports[0].by, [(v, [f.get(v) for f in found]) for v in values]))
    return parts


def _conditions(figure: "Figure", parts: Bars, judged: Sequence[Judged]) -> None:
    """Horizontal bars of the EER with 95 % intervals, a group per condition."""
    axes = figure.subplots()
    colours = _cycle(len(judged))
    height, at, places, names, top = 0.8 / len(judged), 0.0, [], [], 1.0
    for number, (heading, rows) in enumerate(parts):
        at += 0.9 * (number > 0)
        axes.text(
            0.0,
            at - 0.62,
            f" {heading}",
            transform=axes.get_yaxis_transform(),
            fontsize=8,
            weight="bold",
            va="center",
        )
        for name, found in rows:
            for index, rate in enumerate(found):
                if rate is None:
                    continue
                middle = at + (index - (len(found) - 1) / 2) * height
                low, high = (100 * (rate.value if e is None else e) for e in (rate.low, rate.high))
                value = 100 * rate.value
                axes.barh(middle, value, height=0.9 * height, color=colours[index], alpha=0.8)
                axes.plot([low, high], [middle, middle], color="#222222", linewidth=1.1)
                axes.annotate(
                    f"{value:.1f}",
                    (max(high, value), middle),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                )
                top = max(top, high)
            places.append(at)
            names.append(name)
            at += 1.0
    axes.set_yticks(places, names, fontsize=8)
    axes.set_ylim(at - 0.4, -1.0)
    axes.set_xlim(0, 1.1 * top)
    if top > 50:
        axes.axvline(50, color="#bbbbbb", linewidth=1, linestyle=":")
    axes.set_xlabel("EER in % with 95 % interval")
    for colour, one in zip(colours, judged, strict=True):
        axes.barh(0, 0, color=colour, alpha=0.8, label=_name(one))
    figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    _tidy(axes)


def _recalls(figure: "Figure", judged: Sequence[Judged]) -> None:
    """Bars of each class's recall with 95 % intervals."""
    axes = figure.subplots()
    colours, height = _cycle(len(judged)), 0.8 / len(judged)
    for index, one in enumerate(judged):
        report = one.evaluation.classes
        assert report is not None
        for at, recall in enumerate(report.recalls):
            middle = at + (index - (len(judged) - 1) / 2) * height
            axes.barh(
                middle, 100 * recall.value, height=0.9 * height, color=colours[index], alpha=0.8
            )
            if recall.low is not None and recall.high is not None:
                axes.plot(
                    [100 * recall.low, 100 * recall.high],
                    [middle] * 2,
                    color="#222222",
                    linewidth=1.1,
                )
        axes.barh(0, 0, color=colours[index], alpha=0.8, label=_name(one))
        axes.set_yticks(range(len(report.labels)), report.labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("recall in % with 95 % interval")
    figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    _tidy(axes)


def _confusions(figure: "Figure", judged: Sequence[Judged]) -> None:
    """Row-normalized matrices with counts, one beside the other."""
    for axes, one in zip(figure.subplots(1, len(judged), squeeze=False)[0], judged, strict=True):
        classes, binary = one.evaluation.classes, one.evaluation.binary
        if classes is not None:
            labels, counts = classes.labels, np.array(classes.confusion)
        else:
            assert binary is not None
            labels, counts = ("bona fide", "spoof"), np.array(binary.decisions.confusion)
        shares = counts / counts.sum(axis=1, keepdims=True)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        small = len(labels) > 4
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            text = str(count) if small else f"{count}\n{100 * share:.1f} %"
            axes.text(
                column,
                row,
                text if count or not small else "",
                ha="center",
                va="center",
                fontsize=6.5 if small else 9,
                color="white" if share > 0.55 else "#222222",
            )
        turned = 90 if small else 0
        axes.set_xticks(range(len(labels)), labels, fontsize=8, rotation=turned)
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        axes.set_xlabel("said", fontsize=8)
        axes.set_ylabel("truth", fontsize=8)
        axes.set_title(_name(one), fontsize=8)


def _binary(one: Judged) -> BinaryReport:
    report = one.evaluation.binary
    assert report is not None
    return report


def _name(one: Judged) -> str:
    """The subject's name, short enough for a legend."""
    name = one.evaluation.subject
    return name if len(name) <= _LONGEST_NAME + 14 else name[:_LONGEST_NAME] + "..."


def _caption(judged: Sequence[Judged]) -> str:
    first = judged[0].evaluation
    drawn = "" if first.trials == first.listed else f" of {first.listed}"
    return f"{first.data}, {first.split}: {first.trials}{drawn} trials"


def _cycle(count: int) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(count)]


def _tidy(axes: "Axes") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8)


def _save(figure: "Figure", file: Path) -> None:
    beside = file.with_name(f".{file.name}.part")
    try:
        figure.savefig(beside, format="png")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
