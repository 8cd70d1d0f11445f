"""What a report says of an export's streams."""

from earlet_export.markdown import table
from earlet_export.streaming.streams import StreamsFound


def stream_parts(found: StreamsFound | None) -> list[str]:
    """The page's section; nothing where the detector does not stream."""
    if found is None:
        return []
    return [
        "## On sound as it arrives",
        f"The streaming graphs against the offline graphs of the same precision, window by window, "
        f"on {found.sound_s:.0f} s of real sound. The first verdict comes after "
        f"{found.warmup_s:.2f} s of sound, then one every {found.hop_s:.3f} s.",
        table(
            ("graph", "max |logit diff|", "identical", "verdicts that differ", "memory per sound"),
            [
                (
                    precision,
                    f"{rung.max_abs_logit:.2g}",
                    f"{rung.identical:,} of {rung.windows:,}",
                    str(rung.flips),
                    f"{found.state_bytes[precision] / 1e3:.0f} kB",
                )
                for precision, rung in found.rungs.items()
            ],
        ),
        f"Processor time of one thread for a second of sound, a verdict every {found.hop_s:.3f} s, "
        "all in turn; the ratio is the median over rounds.",
        table(
            ("every verdict from", "CPU ms per s of sound", "ratio to fp32 windows"),
            [
                (_named(cost.candidate), f"{cost.cpu_ms_per_s:.2f}", f"{cost.ratio:.3f}")
                for cost in found.costs
            ],
        ),
    ]


def stream_line(found: StreamsFound, precision: str) -> str:
    """For the terminal."""
    rung = found.rungs.get(precision) or found.rungs["fp32"]
    ratios = {cost.candidate: cost.ratio for cost in found.costs}
    ratio = ratios.get(f"{precision} stream", ratios["fp32 stream"])
    return (
        f"streams: a verdict every {found.hop_s:.3f} s, max |logit diff| {rung.max_abs_logit:.2g} "
        f"from the windows ({rung.identical:,} of {rung.windows:,} identical), at {ratio:.3f} of "
        "what fp32 windows cost"
    )


def _named(candidate: str) -> str:
    precision, what = candidate.split()
    return f"{precision}, the whole window" if what == "window" else f"{precision}, the stream"
