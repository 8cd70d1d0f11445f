"""Draws some calls as strips over time: the score, the two thresholds, what is sought, the alarms.

Which calls is settled by one rule, so that nobody picks the pretty ones: all are put into a random
order (its seed is fixed), and of each sort the first two are shown: found, missed, nothing to find.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from earlet.errors import MissingExtra
from earlet.events import EventPolicy
from earlet.segments import NOBODY
from earlet_bench.tuning.hear import Track
from earlet_bench.tuning.judge import Alarm, alarms, covered, outcome, places
from earlet_bench.tuning.search import smoothed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sort = Literal["found", "missed", "nothing to find"]
SORTS: tuple[Sort, ...] = ("found", "missed", "nothing to find")
EACH, SEED = 2, 20
RULE = (
    f"All recordings were put into a random order (seed {SEED}); shown are the first {EACH} of "
    "each sort: everything found, something missed, nothing to find. Where a sort has fewer, the "
    "next of the others take the place. So the picture does not show how often each occurs."
)

# Colours that people with any colour vision tell apart (Okabe and Ito).
_SCORE, _SOUGHT = "#0072B2", "#F3D9E8"
_ALARMS = {"found": "#009E73", "repeat": "#56B4E9", "false": "#D55E00"}
_ON, _OFF, _GREY = "#222222", "#888888", "#555555"
# The lane of the alarms, as a share of a strip's height; the least width of one, of the time shown.
_LANE, _LEAST_WIDTH = 0.13, 0.004


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One recording under one policy. `said`: the alarms, with what each was."""

    sort: Sort
    track: Track
    said: tuple[tuple[Alarm, str], ...]
    latencies_s: tuple[float | None, ...]


def choose_strips(
    tracks: Sequence[Track], policy: EventPolicy, *, positive: str, most: int = EACH * len(SORTS)
) -> list[Strip]:
    """By `RULE`, sort by sort; within a sort in the order of the draw."""
    order = np.random.default_rng(SEED).permutation(len(tracks))
    drawn = [_strip(tracks[int(k)], policy, positive=positive) for k in order]
    chosen = [one for sort in SORTS for one in [s for s in drawn if s.sort == sort][:EACH]]
    chosen += [one for one in drawn if not any(one is other for other in chosen)]
    return sorted(chosen[:most], key=lambda strip: SORTS.index(strip.sort))


def draw_timeline(
    strips: Sequence[Strip],
    policy: EventPolicy,
    *,
    positive: str,
    title: str,
    names: Mapping[str, str],
    file: Path,
) -> None:
    """A PNG, written beside and renamed. `names`: of systems. Raises MissingExtra."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtra(module="matplotlib", extra="bench") from None

    figure = Figure(figsize=(10.0, 1.7 + 1.4 * len(strips)), layout="constrained", dpi=150)
    every = figure.subplots(len(strips), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    scores = [smoothed(s.track, policy.smoothing_s, policy.silence_s).scores for s in strips]
    _limits(every[0], scores, policy)
    longest_s = max(strip.track.duration_s for strip in strips)
    for axes, strip, own in zip(every, strips, scores, strict=True):
        _draw(axes, strip, own, policy, positive=positive, least_s=_LEAST_WIDTH * longest_s)
        axes.set_title(_caption(strip, names, positive=positive), loc="left", fontsize=9, pad=3)
    _time_axis(every[-1], longest_s)
    figure.supylabel(f"score (log-odds of {positive})", fontsize=9)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    _legend(figure, policy, positive=positive)
    beside = file.with_name(f".{file.name}.part")
    try:
        # Without the program's version inside, equal pictures are equal files.
        figure.savefig(beside, format="png", metadata={"Software": None})
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _strip(track: Track, policy: EventPolicy, *, positive: str) -> Strip:
    told = alarms(policy, track)
    found = outcome(told, track, positive=positive)
    latencies_s = tuple(target.latency_s for target in found.targets)
    sort: Sort = "found"
    if not latencies_s:
        sort = "nothing to find"
    elif None in latencies_s:
        sort = "missed"
    seen: set[int] = set()
    said = []
    for alarm, place in zip(told, places(told, track, positive=positive), strict=True):
        what = "false" if place is None else "repeat" if place in seen else "found"
        if place is not None:
            seen.add(place)
        said.append((alarm, what))
    return Strip(sort=sort, track=track, said=tuple(said), latencies_s=latencies_s)


def _draw(
    axes: "Axes",
    strip: Strip,
    scores: NDArray[np.float64],
    policy: EventPolicy,
    *,
    positive: str,
    least_s: float,
) -> None:
    track = strip.track
    for stretch, _ in covered(track, positive=positive):
        axes.axvspan(stretch.start_s, stretch.end_s, color=_SOUGHT, linewidth=0)
    axes.axhline(policy.on_threshold, color=_ON, linewidth=0.9)
    axes.axhline(policy.off_threshold, color=_OFF, linewidth=0.9, linestyle=(0, (4, 3)))
    known_s = [end_s + track.lag_s for _, end_s, _ in track.verdicts]
    axes.plot(known_s, scores, color=_SCORE, linewidth=1.1)
    for alarm, what in strip.said:
        end_s = max(alarm.until_s, alarm.known_s + least_s)
        axes.axvspan(alarm.known_s, end_s, 0.0, _LANE, color=_ALARMS[what], linewidth=0)
    axes.axhline(axes.get_ylim()[0], color=_GREY, linewidth=0.8)
    axes.tick_params(labelsize=8, length=3)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _limits(axes: "Axes", scores: Sequence[NDArray[np.float64]], policy: EventPolicy) -> None:
    """One scale for all strips; below the lowest score the lane of the alarms, so named."""
    from matplotlib.ticker import MaxNLocator

    heard = np.concatenate([own[~np.isnan(own)] for own in scores])
    low = min(float(heard.min(initial=0.0)), policy.off_threshold)
    high = max(float(heard.max(initial=0.0)), policy.on_threshold)
    span = max(high - low, 1.0)
    bottom, top = low - span * (_LANE + 0.08), high + 0.05 * span
    axes.set_ylim(bottom, top)
    marks = MaxNLocator(nbins=4, steps=[1, 2, 5, 10]).tick_values(low, top)
    ticks = [float(mark) for mark in marks if low <= mark <= top]
    lane = bottom + _LANE * (top - bottom) / 2
    axes.set_yticks([*ticks, lane], [*(f"{tick:g}" for tick in ticks), "alarms"])


def _time_axis(axes: "Axes", longest_s: float) -> None:
    from matplotlib.ticker import MultipleLocator

    axes.set_xlim(0.0, longest_s)
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    step = next((s for s in steps if longest_s / s <= 12), 7200)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02d}")
    axes.set_xlabel("time in the recording, min:s", fontsize=9)


def _caption(strip: Strip, names: Mapping[str, str], *, positive: str) -> str:
    """`call_0017.flac · KDE_da, from 2:18 on A05 WORLD copy synthesis · found after 3.4 s`."""
    recording = strip.track.recording
    sought = recording.sought(positive)
    parts = [recording.name]
    if recording.speaker != recording.name:
        parts.append(recording.speaker)
    turned = []
    for stretch in sought[:2]:
        who = positive
        if stretch.system != NOBODY:
            who = " ".join([stretch.system, names.get(stretch.system, "")]).strip()
        turned.append(f"from {_clock(stretch.start_s)} on {who}")
    if turned:
        parts.append(", ".join(turned) + (" ..." if len(sought) > 2 else ""))
    hits = [one for one in strip.latencies_s if one is not None]
    if not sought:
        parts.append("nothing to find")
    elif len(sought) == 1:
        stood = any(a.known_s <= sought[0].start_s < a.until_s for a, _ in strip.said)
        missed = "missed, as a false alarm stood already" if stood else "missed"
        parts.append(f"found after {hits[0]:.1f} s" if hits else missed)
    else:
        parts.append(f"{len(hits)} of {len(sought)} found")
    wrong = sum(what == "false" for _, what in strip.said)
    if wrong:
        parts.append(f"{wrong} false alarm{'s' * (wrong > 1)}")
    return "  ·  ".join(parts)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _legend(figure: "Figure", policy: EventPolicy, *, positive: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    smoothing = f", smoothed over {policy.smoothing_s:g} s" if policy.smoothing_s else ""
    # Filled column by column.
    shown = [
        Line2D([], [], color=_SCORE, linewidth=1.4, label=f"score{smoothing}"),
        Patch(color=_SOUGHT, label=f"really {positive}"),
        Line2D([], [], color=_ON, linewidth=0.9, label=f"begins at {policy.on_threshold:+.2f}"),
        Line2D(
            *([], []),
            color=_OFF,
            linewidth=0.9,
            linestyle=(0, (4, 3)),
            label=f"ends below {policy.off_threshold:+.2f}",
        ),
        Patch(color=_ALARMS["found"], label="alarm that finds it"),
        Patch(color=_ALARMS["repeat"], label="alarm that finds it again"),
        Patch(color=_ALARMS["false"], label="false alarm"),
    ]
    figure.legend(handles=shown, fontsize=8, frameon=False, loc="outside lower center", ncols=4)
