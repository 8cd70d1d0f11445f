"""Draws what a report says in numbers: scores before and after int8, error trade-off, layer noise.

Small PNG files that ride in the bundle: deterministic, so the same export gives the same bytes.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earlet_bench.evaluation.curve import Ranking
from earlet_export.layer_noise import LayerNoise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SCORES_PICTURE, DET_PICTURE, LAYERS_PICTURE = "scores.png", "det.png", "layers.png"

# Windows whose features show the layers' noise.
NOISE_WINDOWS = 12
# Colours that people with any colour vision tell apart (Okabe and Ito).
_POSITIVE, _NEGATIVE, _FLIPPED, _GREY = "#D55E00", "#0072B2", "#000000", "#888888"
_LINES = (("#777777", 4.5, "-"), ("#0072B2", 2.0, "-"), ("#D55E00", 1.4, "--"))
_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_LONGEST_NAME = 34
_MOST_LAYERS = 40
_DPI = 110


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """`by_rung`: name -> score of each recording [R], the original first; `is_positive` [R].

    `data` says in words which recordings these are; `groups` [R]: which of them are of one voice or
    machine, and not independent.
    """

    by_rung: Mapping[str, Floats]
    is_positive: Bools
    positive: str
    threshold: float
    data: str
    groups: tuple[str, ...] = ()


def draw(scores: Scores, noise: Sequence[LayerNoise] = ()) -> dict[str, bytes]:
    """File name -> PNG of each picture that there is something to draw for."""
    drawn = {DET_PICTURE: det_png(scores)}
    if {"fp32", "int8"} <= set(scores.by_rung):
        drawn[SCORES_PICTURE] = scores_png(scores)
    if noise:
        drawn[LAYERS_PICTURE] = layers_png(noise)
    return drawn


def picture_parts(names: Sequence[str]) -> list[str]:
    """Markdown: a heading and each picture that lies beside the page, with what it shows."""
    shown = [f"![{_WORDS[name]}]({name})" for name in _WORDS if name in names]
    return ["## In pictures", *shown] if shown else []


def shown(parts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Parts of a page, less the pictures that were not drawn."""
    return [
        part
        for part in parts
        if not part.startswith("![") or any(part.endswith(f"({name})") for name in names)
    ]


_WORDS = {
    SCORES_PICTURE: "The score of every recording in int8 over that in fp32",
    DET_PICTURE: "Missed over false alarms at every threshold, original, fp32 and int8",
    LAYERS_PICTURE: "Signal to rounding noise at the output of every layer of the int8 graph",
}


def scores_png(scores: Scores) -> bytes:
    """Every recording's score in int8 over that in fp32; what crossed the threshold is ringed."""
    figure = _figure(5.6, 5.2)
    axes = figure.subplots()
    x, y, cut = scores.by_rung["fp32"], scores.by_rung["int8"], scores.threshold
    low = min(x.min(), y.min(), cut)
    high = max(x.max(), y.max(), cut)
    margin = 0.04 * (high - low or 1.0)
    ends = [low - margin, high + margin]
    axes.plot(ends, ends, color=_GREY, linewidth=0.8, linestyle=":")
    axes.axvline(cut, color=_GREY, linewidth=0.8)
    axes.axhline(cut, color=_GREY, linewidth=0.8)
    for chosen, colour, label in (
        (~scores.is_positive, _NEGATIVE, f"not {scores.positive}"),
        (scores.is_positive, _POSITIVE, scores.positive),
    ):
        name = f"{label} ({int(chosen.sum())})"
        axes.scatter(x[chosen], y[chosen], s=11, color=colour, alpha=0.55, linewidth=0, label=name)
    flipped = (x >= cut) != (y >= cut)
    name = f"decided otherwise ({int(flipped.sum())})"
    axes.scatter(
        x[flipped],
        y[flipped],
        s=46,
        facecolor="none",
        edgecolor=_FLIPPED,
        linewidth=0.9,
        label=name,
    )
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    axes.set_xlabel("score, fp32")
    axes.set_ylabel("score, int8")
    axes.set_title(f"{scores.data}; grey lines: the threshold", fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    return _png(figure)


def det_png(scores: Scores) -> bytes:
    """Misses over false alarms of every rung, on normal-deviate axes, and where each decides."""
    from scipy.special import ndtri

    figure = _figure(5.6, 5.4)
    axes = figure.subplots()
    positives, negatives = int(scores.is_positive.sum()), int((~scores.is_positive).sum())
    # A rate of 0 or 1 lies at infinity: half a recording is where the line leaves the picture.
    least = (0.5 / negatives, 0.5 / positives)
    for (name, found), (colour, width, style) in zip(
        scores.by_rung.items(), _cycle(len(scores.by_rung)), strict=True
    ):
        # The ranking's "bona fide" are what scores high: here the positives.
        curve = Ranking(found, scores.is_positive).curve()
        x, y = (
            ndtri(np.clip(rate, half, 1 - half))
            for rate, half in zip((curve.false_alarm, curve.miss), least, strict=True)
        )
        axes.plot(x, y, color=colour, linewidth=width, linestyle=style, label=name)
        above = found >= scores.threshold
        at = (float(above[~scores.is_positive].mean()), float((~above)[scores.is_positive].mean()))
        place = [ndtri(np.clip(rate, half, 1 - half)) for rate, half in zip(at, least, strict=True)]
        axes.plot(
            *place,
            "X",
            color=colour,
            markeredgecolor="black",
            markersize=8,
            clip_on=False,
            zorder=5,
        )
    axes.plot([], [], "X", color=_GREY, markeredgecolor="black", label="at the threshold")
    _deviate_axes(axes, least=min(least))
    axes.set_xlabel(f"reported as {scores.positive} though they are not, %")
    axes.set_ylabel(f"{scores.positive}, missed, %")
    axes.set_title(f"{scores.data}: {positives} {scores.positive}, {negatives} others", fontsize=8)
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    return _png(figure)


def layers_png(noise: Sequence[LayerNoise]) -> bytes:
    """One bar a layer: decibels of signal over rounding noise at its output, in order of depth."""
    from matplotlib.patches import Patch

    shown = [one for one in noise if one.sqnr_db is not None][:_MOST_LAYERS]
    figure = _figure(6.4, 1.3 + 0.22 * max(1, len(shown)))
    axes = figure.subplots()
    places = np.arange(len(shown))
    axes.barh(
        places,
        [one.sqnr_db or 0.0 for one in shown],
        color=[_NEGATIVE if one.integer else _GREY for one in shown],
        height=0.7,
    )
    axes.set_yticks(places, [_short(one.layer) for one in shown], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("signal to rounding noise at the layer's output, dB", fontsize=9)
    left_out = len(noise) - len(shown)
    if left_out:
        axes.set_title(f"left out, without noise or too far down: {left_out}", fontsize=8)
    figure.legend(
        handles=[
            Patch(color=_NEGATIVE, label="in integers"),
            Patch(color=_GREY, label="in float, behind layers that are not"),
        ],
        fontsize=8,
        frameon=False,
        loc="outside upper center",
        ncols=2,
    )
    return _png(figure)


def _deviate_axes(axes: "Axes", *, least: float) -> None:
    from scipy.special import ndtri

    ticks = [t for t in _TICKS if t >= least]
    # Where nothing is ever wrong, the lines and marks lie in this corner.
    low, high = ndtri(least * 0.7), ndtri(0.92)
    axes.plot([low, high], [low, high], color=_GREY, linewidth=0.8, linestyle=":")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ndtri(np.array(ticks)), [f"{100 * t:g}" for t in ticks])
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.tick_params(labelsize=8)


def _cycle(count: int) -> list[tuple[str, float, str]]:
    return [_LINES[i % len(_LINES)] for i in range(count)]


def _short(name: str) -> str:
    plain = name.removeprefix("model/")
    return plain if len(plain) <= _LONGEST_NAME else "…" + plain[-_LONGEST_NAME + 1 :]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=_DPI)


def _png(figure: "Figure") -> bytes:
    """Without the drawing program's version, which would change the bytes."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    return content.getvalue()
