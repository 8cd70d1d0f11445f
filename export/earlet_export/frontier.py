"""The frontier of an export: every int8 graph that was tried, how wrong, how fast and how large.

fp32 is on it too: the exact one, and often the slowest. A reader who disagrees with the choice
finds here what the other choices would have cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earlet_export.prove import Rung
from earlet_export.search import Int8, Judged
from earlet_export.speed import Speed


@dataclass(frozen=True, kw_only=True)
class Point:
    """One graph. Rates in 0..1; `eer_change`: from the original's, on the same dev recordings.

    `calibration`, `clips`: the method and how many clips it looked at; empty and 0 for fp32.
    `in_float`: the layers put back, `float_share` of the multiplications. `broken`: the promises it
    does not keep, in words. `p50_ms`, `ratio_to_fp32`: interleaved with fp32 in one run on one
    thread, the ratio of processor time; None where it was not timed.
    """

    name: str
    precision: str
    calibration: str
    clips: int
    in_float: tuple[str, ...]
    float_share: float
    eer: float
    eer_change: float
    flips: int
    decisions: int
    max_abs_logit: float
    size_bytes: int
    p50_ms: float | None
    ratio_to_fp32: float | None
    broken: tuple[str, ...]
    chosen: bool

    @property
    def holds(self) -> bool:
        """Whether it keeps every promise of its recipe."""
        return not self.broken


def exact(rung: Rung) -> Judged:
    """What the fp32 graph did, in the words of a candidate."""
    return Judged(
        eer=rung.eer.eer,
        flips=rung.flips,
        decisions=rung.decisions,
        max_abs_logit=rung.max_abs_logit,
        broken=(),
    )


def frontier(
    fp32: Judged,
    int8: Int8 | None,
    *,
    original_eer: float,
    sizes_bytes: Mapping[str, int],
    speeds: Sequence[Speed],
) -> tuple[Point, ...]:
    """fp32 first, then what was tried in the order it was tried.

    `sizes_bytes`: of the final graphs, by precision: what lies around the model graph (the
    frontend) weighs the same in every candidate. `speeds`: of the final graphs; they stand in where
    the search ended at once and had nothing to time.
    """
    timed = {speed.candidate: speed for speed in speeds}
    if int8 is not None and int8.fp32_speed is not None:
        timed["fp32"] = int8.fp32_speed
    points = [
        Point(
            name="fp32",
            precision="fp32",
            calibration="",
            clips=0,
            in_float=(),
            float_share=1.0,
            eer=fp32.eer,
            eer_change=fp32.eer - original_eer,
            flips=fp32.flips,
            decisions=fp32.decisions,
            max_abs_logit=fp32.max_abs_logit,
            size_bytes=sizes_bytes["fp32"],
            p50_ms=timed["fp32"].p50_ms if "fp32" in timed else None,
            ratio_to_fp32=1.0 if "fp32" in timed else None,
            broken=(),
            chosen=False,
        )
    ]
    if int8 is None:
        return tuple(points)
    around = sizes_bytes["int8"] - int8.chosen.model_bytes
    for tried in int8.tried:
        is_chosen = tried.name == int8.chosen.name
        speed = tried.speed or (timed.get("int8") if is_chosen else None)
        points.append(
            Point(
                name=tried.name,
                precision="int8",
                calibration=tried.method,
                clips=tried.clips,
                in_float=tried.kept_float,
                float_share=tried.float_share,
                eer=tried.judged.eer,
                eer_change=tried.judged.eer - original_eer,
                flips=tried.judged.flips,
                decisions=tried.judged.decisions,
                max_abs_logit=tried.judged.max_abs_logit,
                size_bytes=tried.model_bytes + around,
                p50_ms=speed.p50_ms if speed else None,
                ratio_to_fp32=speed.ratio_to_fp32 if speed else None,
                broken=tried.judged.broken,
                chosen=is_chosen,
            )
        )
    return tuple(points)


HEADER = (
    *("graph", "in float", "dev EER", "change", "flips", "max abs logit"),
    *("p50 ms", "ratio to fp32", "kB", "promise"),
)


def rows(points: Sequence[Point]) -> list[tuple[str, ...]]:
    """One row of text per point, under HEADER; the chosen graph's name is bold."""
    return [
        (
            f"**{point.name}**" if point.chosen else point.name,
            "all" if point.precision == "fp32" else _in_float(point),
            f"{100 * point.eer:.2f} %",
            f"{100 * point.eer_change:+.2f}",
            f"{point.flips} of {point.decisions}",
            f"{point.max_abs_logit:.2g}",
            "" if point.p50_ms is None else f"{point.p50_ms:.2f}",
            "" if point.ratio_to_fp32 is None else f"{point.ratio_to_fp32:.2f}",
            f"{point.size_bytes / 1e3:.0f}",
            "kept" if point.holds else "broken",
        )
        for point in points
    ]


def _in_float(point: Point) -> str:
    """`2 layers, 13 % of the work`."""
    if not point.in_float:
        return "none"
    layers = f"{len(point.in_float)} layer{'s' if len(point.in_float) > 1 else ''}"
    return f"{layers}, {100 * point.float_share:.0f} % of the work"
