"""Lays measured rows out for people: 100 columns of text, or the same in Markdown."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from earlet.accuracy import Rate
from earlet_bench.rows import ColdStart, Row

WIDTH = 100
NOTHING = "-"

Kind = Literal["head", "bundle", "row", "failed", "note"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table, and what it is, so that a terminal can colour it."""

    text: str
    kind: Kind


def table_lines(rows: Sequence[Row]) -> list[Line]:
    """Rows -> the table, bundles one under another, with what else was measured below each."""
    columns = _columns(rows)
    head = "  ".join([columns[0].ljust(_LABEL), *(_right(c, c) for c in columns[1:])])
    lines = [Line(text=head.rstrip(), kind="head")]
    for title, group in _by_bundle(rows):
        lines.append(Line(text=title, kind="bundle"))
        for row in group:
            cells = _cells(row)
            text = "  ".join(
                ["  " + cells[columns[0]].ljust(_LABEL - 2)]
                + [_right(c, cells[c]) for c in columns[1:]]
            )
            lines.append(Line(text=text.rstrip(), kind="row" if row.parity.passed else "failed"))
        lines += _wrapped(_notes(group), indent="  ")
    return [*lines, *_wrapped(_legend(rows), indent="")]


def markdown(rows: Sequence[Row]) -> str:
    """Rows -> a Markdown table with the same cells and notes."""
    columns = ["model", *_columns(rows)]
    text = [
        "| " + " | ".join(c.replace("|", "\\|") for c in columns) + " |",
        "|" + "|".join(["---", "---", *("--:" for _ in columns[2:])]) + "|",
    ]
    notes: list[str] = []
    for title, group in _by_bundle(rows):
        for row in group:
            cells = _cells(row) | {"model": title}
            text.append("| " + " | ".join(cells[c].replace("|", "\\|") for c in columns) + " |")
        notes += [f"- {title}: {note}" for note in _notes(group)]
    return "\n".join([*text, "", *notes, *(f"- {line}" for line in _legend(rows))]) + "\n"


def attack_lines(rows: Sequence[Row]) -> list[Line]:
    """Rows with accuracy -> the EER of each attack against all bona fide trials, per model."""
    measured = [row for row in rows if row.accuracy and row.threads == rows[0].threads]
    if not measured:
        return []
    several = len({row.title for row in measured}) > 1
    heads = [f"{row.bundle[:12]} {_name(row)}" if several else _name(row) for row in measured]
    widths = [max(8, len(head)) for head in heads]
    lines = [
        Line(
            text="  ".join(
                ["EER %".ljust(8), *(h.rjust(w) for h, w in zip(heads, widths, strict=True))]
            ),
            kind="head",
        )
    ]
    attacks = sorted({a for row in measured if row.accuracy for a in row.accuracy.attacks})
    for attack in attacks:
        cells = [
            _percent(row.accuracy.attacks.get(attack)) if row.accuracy else NOTHING
            for row in measured
        ]
        text = [attack.ljust(8), *(c.rjust(w) for c, w in zip(cells, widths, strict=True))]
        lines.append(Line(text="  ".join(text), kind="row"))
    return lines


def plain(value: float, *, digits: int) -> str:
    """So many significant digits, whole numbers in full, no exponent: 0.00052, 3.14, 512."""
    if value >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")


_LABEL = 10
_KNOWN, _UNKNOWN, _LOGIT, _FLIPS = "EER known %", "EER unknown %", "max |Δlogit|", "flips"
_P50, _RTF, _SIZE = "p50 ms", "real time", "size"
_WIDTHS = {_KNOWN: 16, _UNKNOWN: 16, _LOGIT: 12, _FLIPS: 8, _P50: 6, _RTF: 9, _SIZE: 7}


def _columns(rows: Sequence[Row]) -> list[str]:
    accuracy = [_KNOWN, _UNKNOWN] if any(row.accuracy for row in rows) else []
    return ["", *accuracy, _LOGIT, _FLIPS, _P50, _RTF, _SIZE]


def _right(column: str, cell: str) -> str:
    return cell.rjust(_WIDTHS[column])


def _cells(row: Row) -> dict[str, str]:
    pools = row.accuracy.pools if row.accuracy else {}
    return {
        "": _name(row) if row.threads == 1 else f"{_name(row)} ×{row.threads}",  # noqa: RUF001
        _KNOWN: _rate(pools.get("known")),
        _UNKNOWN: _rate(pools.get("unknown")),
        _LOGIT: _logit(row),
        _FLIPS: _flips(row),
        _P50: plain(row.latency.p50_ms, digits=3),
        _RTF: plain(row.latency.real_time_factor, digits=2),
        _SIZE: _size(row.size_bytes),
    }


def _name(row: Row) -> str:
    return "torch" if row.precision == "original" else row.precision


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return NOTHING
    return f"{100 * rate.eer:.1f} [{100 * rate.low:.1f}-{100 * rate.high:.1f}]"


def _percent(rate: float | None) -> str:
    return NOTHING if rate is None else f"{100 * rate:.1f}"


def _logit(row: Row) -> str:
    parity = row.parity
    text = "not finite" if parity.max_abs_logit is None else f"{parity.max_abs_logit:.1e}"
    return text if parity.passed else f"{text} !"


def _flips(row: Row) -> str:
    """On the labelled data where there is some, else on the golden signals."""
    accuracy = row.accuracy
    if accuracy is None:
        return f"{row.parity.flips}/{row.parity.decisions}"
    if accuracy.reference is None:
        return NOTHING
    return f"{accuracy.flips}/{accuracy.decisions}"


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return NOTHING
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def _by_bundle(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    def title(row: Row) -> str:
        return f"{row.title}, windows of {plain(row.latency.window_s, digits=3)} s"

    return [(name, list(group)) for name, group in groupby(rows, key=title)]


def _notes(group: Sequence[Row]) -> list[str]:
    """What a bundle's lines have no column for."""
    notes = []
    # A sweep repeats each precision; what does not depend on threads is told once.
    once = [row for row in group if row.threads == group[0].threads]
    ratios = []
    for row in once:
        if row.latency.versus_original is not None and row.precision == "fp32":
            ratios.append(f"fp32 {row.latency.versus_original:.2f} of torch")
        if row.latency.versus_fp32 is not None and row.precision != "original":
            ratios.append(f"{row.precision} {row.latency.versus_fp32:.2f} of fp32")
    if ratios:
        notes.append("CPU time, median of the rounds' ratios: " + ", ".join(ratios))
    shares = [
        f"{row.precision} {100 * row.latency.frontend_share:.0f} %"
        for row in once
        if row.latency.frontend_share is not None
    ]
    if shares:
        notes.append("frontend's share of the time in kernels: " + ", ".join(shares))
    starts = [(row, row.cold_start) for row in once if row.cold_start is not None]
    if starts:
        told = ", ".join(f"{_name(row)} {_start(start)}" for row, start in starts)
        notes.append(f"fresh process to first verdict / peak memory: {told}")
    for row in once:
        if row.accuracy is not None and row.precision != "original":
            words = {"pooled": "all attacks", "tts": "TTS", "conversion": "copy/VC"}
            pools = ", ".join(
                f"{word} {_rate(row.accuracy.pools[pool])}"
                for pool, word in words.items()
                if pool in row.accuracy.pools
            )
            notes.append(f"EER % of {row.precision}: {pools}")
    notes += [
        f"{row.precision}: GOLDEN REPLAY FAILED: this machine does not get the original's answers; "
        f"tolerance {row.parity.tolerance:.1e}, {row.parity.flips} of {row.parity.decisions} "
        "verdicts differ. Do not use this model here"
        for row in group
        if not row.parity.passed
    ]
    return notes


def _start(start: ColdStart) -> str:
    time = f"{start.total_ms / 1e3:.1f} s" if start.total_ms >= 1e3 else f"{start.total_ms:.0f} ms"
    return f"{time} / {start.peak_rss_bytes / 1e6:.0f} MB"


def _legend(rows: Sequence[Row]) -> list[str]:
    first = rows[0]
    threads = sorted({row.threads for row in rows})
    told = "1 thread" if threads == [1] else f"{'/'.join(map(str, threads))} threads"
    load = first.device.load_average_1min
    busy = "" if load is None else f", load {load:.1f} when it began"
    lines = [
        f"{first.device.title}; {told}, {min(row.latency.rounds for row in rows)} interleaved "
        f"rounds or more{busy}"
    ]
    accuracy = next((row.accuracy for row in rows if row.accuracy), None)
    if accuracy is not None:
        drawn = (
            f"all {accuracy.trials}"
            if accuracy.trials == accuracy.listed
            else f"{accuracy.trials} of {accuracy.listed}"
            if accuracy.seed is None
            else f"{accuracy.trials} (drawn with seed {accuracy.seed}) of {accuracy.listed}"
        )
        bad = f", {accuracy.left_out} that cannot be used left out" if accuracy.left_out else ""
        lines.append(
            f"EER [95 % interval] on {drawn} {accuracy.split} trials of {accuracy.data}{bad}; "
            "known: attacks that training saw"
        )
        lines.append(
            "flips: verdicts that differ from those of the bundle's first line; "
            "max |Δlogit|: golden replay against the original, on this machine"
        )
    else:
        lines.append("max |Δlogit| and flips: golden replay against the original, on this machine")
    return lines


def _wrapped(notes: Sequence[str], *, indent: str) -> list[Line]:
    return [
        Line(text=line, kind="note")
        for note in notes
        for line in textwrap.wrap(
            note, WIDTH, initial_indent=indent, subsequent_indent=indent + "  "
        )
    ]
