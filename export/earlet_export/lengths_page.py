"""What a report says of graphs that take any length."""

from collections.abc import Sequence

from earlet_export.markdown import decibels, table
from earlet_export.prove_lengths import AtLength

LENGTH_HEADER = (
    *("length", "samples", "frames", "graph"),
    *("features: max from torch", "SQNR dB", "logits: max from torch", "SQNR dB"),
)


def length_parts(found: Sequence[AtLength]) -> list[str]:
    """The page's section; nothing where the graphs take one window."""
    if not found:
        return []
    return [
        "## Any length",
        f"The graphs take waveforms of any length from {shortest(found)} samples on; a detector "
        f"goes on feeding them windows, which its threshold was set on. Asked at each length: "
        f"{found[0].signals} sounds, golden signals and recordings, each alone and three at once. "
        "fp32 keeps its promise at every one of them; of int8 that is how far it goes.",
        table(LENGTH_HEADER, length_rows(found)),
    ]


def length_rows(found: Sequence[AtLength]) -> list[Sequence[str]]:
    """Rows for `LENGTH_HEADER`."""
    return [
        (
            at.name,
            f"{at.samples}",
            f"{at.frames}",
            precision,
            f"{apart.features.max_abs:.2g}",
            decibels(apart.features.sqnr_db),
            f"{apart.logits.max_abs:.2g}",
            decibels(apart.logits.sqnr_db),
        )
        for at in found
        for precision, apart in at.graphs.items()
    ]


def length_line(found: Sequence[AtLength]) -> str:
    """For the terminal: where it begins, what was tried, and how far fp32 was from torch."""
    farthest = max(at.graphs["fp32"].logits.max_abs for at in found)
    tried = ", ".join(str(at.samples) for at in found)
    return (
        f"takes any length from {shortest(found)} samples on: fp32 within {farthest:.2g} of torch "
        f"at {tried}"
    )


def shortest(found: Sequence[AtLength]) -> int:
    """In samples."""
    return min(at.samples for at in found)
