"""A comparison for readers, and as JSON."""

import dataclasses
from typing import Any

from earlet.agreement import Ranks
from earlet_bench.compare import Comparison, OnGolden
from earlet_bench.compare_recordings import Apart, OnRecordings
from earlet_bench.compare_sides import Side
from earlet_bench.evaluation.intervals import Estimate

SCHEMA = "earlet.compare/1"


def lines_of(found: Comparison) -> list[str]:
    """For the terminal."""
    lines = []
    for letter, side in (("A", found.a), ("B", found.b)):
        lines += _side_lines(letter, side)
    lines.append("")
    if found.identical:
        lines.append("A and B are the same file, byte for byte")
    lines += [f"note: {one}" for one in found.not_compared]
    lines += [f"BROKEN: {one}" for one in found.broken]
    if found.golden is not None:
        lines += _golden_lines(found.golden)
    if found.recordings is not None:
        lines += _recording_lines(found.recordings)
    elif not found.broken and not found.not_compared:
        lines.append("no error rates: give labelled recordings with --data CORPUS")
    size = found.b.size_bytes / max(1, found.a.size_bytes)
    lines.append(
        f"size: A {found.a.size_bytes / 1e3:.0f} kB, B {found.b.size_bytes / 1e3:.0f} kB "
        f"({size:.2f} of A's)"
    )
    speed = found.speed
    words = (
        f"speed: B takes {speed.ratio:.2f} times the processor time of A for a window (median of "
        f"{speed.rounds} rounds side by side; here p50 A {speed.a_p50_ms:.2f} ms, B "
        f"{speed.b_p50_ms:.2f} ms)"
    )
    if abs(speed.ratio_per_second - speed.ratio) > 1e-9:
        words += f", {speed.ratio_per_second:.2f} times for a second of sound"
    return [*lines, words]


def record_of(found: Comparison) -> dict[str, Any]:
    """The same as data, without what only runs."""
    return {
        "schema": SCHEMA,
        "a": _side_record(found.a),
        "b": _side_record(found.b),
        "identical": found.identical,
        "not_compared": list(found.not_compared),
        "broken": list(found.broken),
        "golden": None if found.golden is None else dataclasses.asdict(found.golden),
        "recordings": None if found.recordings is None else dataclasses.asdict(found.recordings),
        "speed": dataclasses.asdict(found.speed),
        "size_ratio": found.b.size_bytes / max(1, found.a.size_bytes),
    }


def _side_lines(letter: str, side: Side) -> list[str]:
    subject = side.subject
    rate_hz, window = subject.sample_rate_hz, subject.window
    lines = [
        f"{letter}: {side.title}: windows of {window.window_samples / rate_hz:.2f} s at "
        f"{rate_hz} Hz; {subject.positive!r} from {subject.threshold:.3f} on"
    ]
    if side.assumed:
        lines.append(f"   assumed, as nothing in the file says it: {'; '.join(side.assumed)}")
    return lines


def _golden_lines(found: OnGolden) -> list[str]:
    lines = []
    if found.logits is not None:
        lines.append(
            f"golden signals ({found.signals}), logits: {_apart(found.logits)}"
            + (f"; farthest on {found.worst!r}" if found.logits.max_abs > 0 else "")
        )
    if found.scores is not None and found.ranks is not None:
        lines.append(
            f"golden signals ({found.signals}), scores: {_apart(found.scores)}; "
            f"{_ranks(found.ranks)}; {found.flips} decisions differ"
        )
    return lines


def _recording_lines(found: OnRecordings) -> list[str]:
    drawn = "" if found.recordings == found.listed else f" of {found.listed}"
    lines = [
        f"{found.recordings}{drawn} recordings of {found.data} ({found.split}), scores: "
        f"{_apart(found.scores)}; {_ranks(found.ranks)}; {found.flips} decisions differ",
        f"EER: A {_percent(found.a_eer)}, B {_percent(found.b_eer)}; B - A "
        f"{_points(found.eer_difference)}: {_verdict(found.eer_difference)}",
    ]
    if found.relabelled is not None:
        lines.append(f"the likeliest label differs for {found.relabelled} of them")
    if found.left_out:
        lines.append(f"{found.left_out} recordings that cannot be used were left out")
    return lines


def _verdict(difference: Estimate) -> str:
    """The interval of the difference, in words."""
    if difference.low is None or difference.high is None:
        return "no interval"
    if difference.low <= 0 <= difference.high:
        return "no difference that these recordings could show"
    return "B errs more" if difference.low > 0 else "B errs less"


def _apart(found: Apart) -> str:
    if found.max_abs == 0:
        return "equal"
    sqnr = "" if found.sqnr_db is None else f", SQNR {found.sqnr_db:.1f} dB"
    return f"max difference {found.max_abs:.3g}, mean {found.mean_abs:.2g}{sqnr}"


def _ranks(ranks: Ranks) -> str:
    if ranks.spearman is None or ranks.ordered_alike is None:
        return "no order to compare"
    return f"Spearman {ranks.spearman:.5f}, {100 * ranks.ordered_alike:.2f} % of pairs alike"


def _percent(estimate: Estimate) -> str:
    """`12.3 % (10.1 to 14.9)`."""
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:.2f} %"
    return f"{100 * estimate.value:.2f} % ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


def _points(estimate: Estimate) -> str:
    """`+0.12 points (-0.30 to +0.51)`."""
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:+.2f} points"
    return (
        f"{100 * estimate.value:+.2f} points ({100 * estimate.low:+.2f} to "
        f"{100 * estimate.high:+.2f})"
    )


def _side_record(side: Side) -> dict[str, Any]:
    # Field by field: asdict would copy the running session, too.
    subject = {
        field.name: _plain(getattr(side.subject, field.name))
        for field in dataclasses.fields(side.subject)
        if field.name != "logits"
    }
    return {
        "title": side.title,
        "size_bytes": side.size_bytes,
        "assumed": list(side.assumed),
        **subject,
    }


def _plain(value: Any) -> Any:
    is_record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_record else value
