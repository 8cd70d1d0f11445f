"""Words for sound that goes on: a line that is written over on a terminal, and lines that stay.

The line is drawn by hand, between two pieces of sound: nothing to install on a board, no thread
beside the detector, and what is printed on stdout stays clean for whoever reads it.
"""

import json
import math
import shutil
from typing import Any, TextIO

from earlet.events import Event
from earlet.verdict import Verdict

SCHEMA = "earlet.listen/1"
_METER_FROM_DB, _METER_CELLS = -60.0, 12
_WIPE = "\r\x1b[2K"


class LiveLine:
    """One line at the bottom of a terminal; does nothing where there is none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_shown = stream.isatty()

    def show(
        self, *, heard_s: float, level_db: float, verdict: Verdict | None, smoothed: float | None
    ) -> None:
        """Draw it anew."""
        if not self.is_shown:
            return
        words = f"{clock(heard_s)}  {meter(level_db)}  {said(verdict, smoothed)}"
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"{_WIPE}{words[:width]}")
        self._stream.flush()

    def wipe(self) -> None:
        """Make room for what stays."""
        if self.is_shown:
            self._stream.write(_WIPE)
            self._stream.flush()


def meter(level_db: float) -> str:
    """`[#####-------]  -35 dB`; one cell is five decibels."""
    share = (level_db - _METER_FROM_DB) / -_METER_FROM_DB
    cells = min(_METER_CELLS, max(0, math.ceil(share * _METER_CELLS))) if share > 0 else 0
    level = f"{level_db:4.0f} dB" if math.isfinite(level_db) else " silence"
    return f"[{'#' * cells}{'-' * (_METER_CELLS - cells)}] {level}"


def said(verdict: Verdict | None, smoothed: float | None) -> str:
    """What the detector says now."""
    if verdict is None:
        return "listening, no window is full yet"
    if verdict.score is None:
        return "no signal"
    follows = "" if smoothed is None else f" (smoothed {smoothed:+.2f})"
    return f"{verdict.label}  score {verdict.score:+.2f}{follows}"


def verdict_line(verdict: Verdict, smoothed: float | None) -> str:
    """One verdict, for a log."""
    return f"{clock(verdict.end_s)}  {said(verdict, smoothed)}"


def event_line(event: Event) -> str:
    """One event as it begins or ends."""
    when = clock(event.known_s)
    if event.end_s is None:
        return (
            f"{when}  event {event.number} begins: {event.label} since {clock(event.start_s)}, "
            f"score {event.peak_score:+.2f}"
        )
    return (
        f"{when}  event {event.number} ended by {event.ended_by}: {event.label} from "
        f"{clock(event.start_s)} to {clock(event.end_s)}, peak score {event.peak_score:+.2f}"
    )


def clock(seconds: float) -> str:
    """`1:02:03.4`, without hours that have not come."""
    tenths = math.floor(10 * seconds + 0.5)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"


def json_line(kind: str, record: dict[str, Any]) -> str:
    """One object: `kind` is verdict, event or summary."""
    return json.dumps(
        {"schema": SCHEMA, "kind": kind, **record}, ensure_ascii=False, allow_nan=False
    )
