"""The tables of `earlet bench --stream`, for the terminal and as a page."""

from collections.abc import Sequence

from earlet_bench.evaluation.tables import Table
from earlet_bench.stream_rows import StreamRow
from earlet_bench.table import plain


def stream_text(rows: Sequence[StreamRow]) -> str:
    """Rows of one bundle -> for the terminal."""
    parts = [_title(rows[0]), *_where(rows[0]), ""]
    return "\n".join([*parts, *(table.text() for table in _tables(rows)), *_failures(rows)])


def stream_page(rows: Sequence[StreamRow]) -> str:
    """Rows of one bundle -> a Markdown section."""
    parts = [f"# {_title(rows[0])}", *_where(rows[0]), *(t.markdown() for t in _tables(rows))]
    return "\n\n".join([part.strip() for part in [*parts, *_failures(rows)]]) + "\n"


def _title(row: StreamRow) -> str:
    return f"Streaming: {row.title}"


def _where(row: StreamRow) -> list[str]:
    device = row.device
    load = device.load_average_1min
    busy = "" if load is None else f"; load {load:.1f} when it began"
    speech = "" if row.real else " Give recordings with --data."
    return [
        f"{device.title}; {device.os}; {device.python}, numpy {device.numpy}, onnxruntime "
        f"{device.onnxruntime}, earlet {device.earlet}; {row.threads} thread{busy}. "
        f"{row.created[:10]}.",
        f"Heard: {row.sound_s:.0f} s of {row.sound}.{speech} A window has {row.window_s:.3g} s, a "
        f"verdict comes every {row.hop_s:.3g} s, the first after {row.warmup_s:.3g} s.",
    ]


def _tables(rows: Sequence[StreamRow]) -> list[Table]:
    found = [_agreements(rows), _cuts(rows), _costs(rows[0]), _companies(rows)]
    if any(row.soak for row in rows):
        found.append(_soaks(rows))
    return found


def _agreements(rows: Sequence[StreamRow]) -> Table:
    def cells(row: StreamRow) -> tuple[str, ...]:
        said = row.agreement
        return (
            row.precision,
            "not finite" if said.max_abs_logit is None else f"{said.max_abs_logit:.1e}",
            f"{said.identical} of {said.windows}",
            str(said.differ),
        )

    return Table(
        title="The stream against the offline graph, window by window",
        header=("graph", "max |stream - offline|", "identical", "verdicts that differ"),
        rows=tuple(map(cells, rows)),
        notes=("Logits of every window of the sound; identical: to the last bit.",),
    )


def _cuts(rows: Sequence[StreamRow]) -> Table:
    sizes = [cut.piece_samples for cut in rows[0].cuts]
    rate_hz = rows[0].sample_rate_hz
    return Table(
        title="The same sound in other pieces",
        header=("graph", *(f"{n} ({plain(1e3 * n / rate_hz, digits=3)} ms)" for n in sizes)),
        rows=tuple(
            (row.precision, *("identical" if cut.identical else "DIFFERS" for cut in row.cuts))
            for row in rows
        ),
        notes=(
            "Verdicts against those of pieces of one chunk, bit by bit; samples in a piece. Sample "
            f"by sample {rows[0].cuts[0].sound_s:.0f} s were heard ({rows[0].cuts[0].verdicts} "
            f"verdicts), else all ({rows[0].cuts[-1].verdicts}).",
        ),
    )


def _costs(row: StreamRow) -> Table:
    words = {"window": "the whole window anew", "stream": "the stream"}
    return Table(
        title="Processor time",
        header=(
            *("every verdict from", "CPU ms per s of sound", "ratio to fp32 window"),
            "its graph's share",
        ),
        rows=tuple(
            (
                f"{cost.candidate.split()[0]}, {words[cost.candidate.split()[1]]}",
                plain(cost.cpu_ms_per_s, digits=3),
                f"{cost.ratio:.3f}",
                "-" if cost.graph_share is None else f"{cost.graph_share:.2f}",
            )
            for cost in row.costs
        ),
        notes=(
            f"All through `Stream.accept`, a chunk of {row.hop_s:.3g} s at a time, interleaved in "
            f"one run of {row.costs[0].rounds} rounds; medians. Its graph's share: run alone, one "
            "chunk again and again. Ratios compare; milliseconds are of this machine and moment.",
        ),
    )


def _companies(rows: Sequence[StreamRow]) -> Table:
    def cells(row: StreamRow) -> tuple[str, ...]:
        said = row.company
        resident = "-" if said.resident_bytes is None else f"{said.resident_bytes / 1e3:.0f} kB"
        return (
            row.precision,
            f"{100 * said.share:.1f} % of real time",
            "identical" if said.identical else "DIFFERS",
            f"{said.state_bytes / 1e3:.0f} kB",
            resident,
        )

    first = rows[0].company
    return Table(
        title=f"{first.streams} streams at once on one core",
        header=(
            *("graph", "processor", "against each alone"),
            *("a stream holds", "the process grew by, each"),
        ),
        rows=tuple(map(cells, rows)),
        notes=(
            f"Each hears {first.sound_s:.3g} s of its own. The process also grows by what Python "
            "and onnxruntime need to find it all, and by a first window that is let go later.",
        ),
    )


def _soaks(rows: Sequence[StreamRow]) -> Table:
    return Table(
        title="Soak",
        header=(
            *("graph", "sound", "faster than real time", "resident", "slope", "growth"),
            *("windows at the end", "max |score - offline|", "verdicts that differ"),
        ),
        rows=tuple(
            (
                row.precision,
                f"{said.sound_min:.1f} min",
                f"{60 * said.sound_min / said.wall_s:.0f} times",
                f"{said.resident_bytes / 1e6:.1f} MB",
                f"{said.slope_mb_per_h:+.3f} MB/h",
                f"{said.growth_bytes / 1e3:+.1f} kB",
                str(said.windows_at_end),
                f"{said.max_abs_score:.1e}",
                str(said.differ),
            )
            for row in rows
            if (said := row.soak) is not None
        ),
        notes=(
            "Random places and levels of the sound, mixed with new noise and silence, in pieces of "
            "random length, never the same twice. Slope: resident memory over hours of sound, "
            "least squares, the first fifth left out; growth: what that makes over the rest.",
        ),
    )


def _failures(rows: Sequence[StreamRow]) -> list[str]:
    return [f"FAILED, {row.precision}: {'; '.join(row.failures)}." for row in rows if row.failures]
