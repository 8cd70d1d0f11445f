"""What `earlet tune` and `earlet events` print: the policy in words, the table, the JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from earlet.events import EventPolicy
from earlet_bench.evaluation.intervals import Estimate
from earlet_bench.tuning.judge import Figures, Outcome

HEADS = (
    *("what", "data", "hours", "false alarms per hour", "found"),
    *("time to detection: half within", "90 % within"),
    *("goes by unnoticed", "stands falsely", "repeats"),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One policy on one set of recordings."""

    what: str
    data: str
    policy: EventPolicy
    figures: Figures
    outcomes: Sequence[Outcome]

    def record(self) -> dict[str, Any]:
        """Plain data; what is infinite or not there is null."""
        found = asdict(self.figures)
        return {
            "what": self.what,
            "data": self.data,
            "policy": asdict(self.policy),
            **_finite(found),
            "recordings_in_detail": [_finite(asdict(one)) for one in self.outcomes],
        }


def cells(row: Row) -> tuple[str, ...]:
    """A row of the table, under `HEADS`."""
    found = row.figures
    return (
        row.what,
        row.data,
        f"{found.hours:.2f}",
        with_interval(found.false_alarms_per_hour, digits=2),
        f"{found.targets - found.misses} of {found.targets}",
        latency(found.median_latency_s),
        latency(found.p90_latency_s),
        with_interval(found.unnoticed, digits=0, percent=True),
        with_interval(found.standing, digits=1, percent=True),
        str(found.repeats),
    )


def table(rows: Sequence[Row]) -> list[str]:
    """Lines for a terminal, columns under each other."""
    shown = [HEADS, *(cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in shown]
    return [line.rstrip() for line in lines]


def markdown(rows: Sequence[Row]) -> list[str]:
    """The same as a Markdown table."""
    shown = [HEADS, ("---",) * len(HEADS), *(cells(row) for row in rows)]
    return [f"| {' | '.join(line)} |" for line in shown]


def in_words(policy: EventPolicy) -> str:
    """One sentence."""
    smoothed = f"smoothed over {policy.smoothing_s:g} s" if policy.smoothing_s else "as it is"
    lasted = f"once it has lasted {policy.minimum_s:g} s" if policy.minimum_s else "at once"
    return (
        f"the score, {smoothed}, begins an event at {policy.on_threshold:+.2f} {lasted}, and ends "
        f"it below {policy.off_threshold:+.2f} or after {policy.silence_s:g} s of silence; then "
        f"none for {policy.cool_down_s:g} s"
    )


def with_interval(found: Estimate, *, digits: int, percent: bool = False) -> str:
    """`0.40 (0.05 to 1.44)`."""
    scale, unit = (100, " %") if percent else (1, "")

    def told(value: float) -> str:
        return "never" if math.isinf(value) else f"{scale * value:.{digits}f}"

    if found.low is None or found.high is None:
        return told(found.value) + unit
    return f"{told(found.value)}{unit} ({told(found.low)} to {told(found.high)})"


def latency(found: Estimate | None) -> str:
    """Seconds; `never` where too many were missed for a number."""
    return "never" if found is None else with_interval(found, digits=1).replace(" (", " s (", 1)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
