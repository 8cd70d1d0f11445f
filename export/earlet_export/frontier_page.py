"""The frontier and the ranking of the layers, as a section of the report's page."""

from collections.abc import Sequence

from earlet_export.frontier import HEADER, Point, rows
from earlet_export.frontier_picture import FRONTIER_PICTURE
from earlet_export.sensitivity import Damage


def frontier_parts(points: Sequence[Point], ranking: Sequence[Damage]) -> list[str]:
    """Heading, words, a table of graphs, and a table of layers where they were ranked."""
    if len(points) < 2:
        return []
    parts = [
        "## The frontier",
        f"{len(points) - 1} int8 {'graph was' if len(points) == 2 else 'graphs were'} tried; the "
        "one in bold is in this bundle: the fastest that keeps the promise. Times are of one run, "
        "in turn with fp32, on one thread; the ratio is of processor time. *Change*: of the dev "
        "EER, in points. *Corrected*: with biases by which each layer gives on average what it "
        "gives in float.",
        _table(HEADER, rows(points)),
        f"![what each graph loses, over how long it takes]({FRONTIER_PICTURE})",
    ]
    if ranking:
        parts += [
            "Plain int8 broke the promise, so the layers were ranked, each alone in int8: *near*, "
            "mean movement of scores near the threshold; *together*, how much nearer to each other "
            "the classes come; damage is their sum. SQNR is of the logits.",
            _table(
                ("layer", "damage", "near", "together", "flips", "SQNR dB", "% of the work"),
                [_layer_row(damage) for damage in ranking],
            ),
        ]
    return parts


def _layer_row(damage: Damage) -> tuple[str, ...]:
    return (
        f"`{damage.layer}`",
        f"{damage.damage:.3g}",
        f"{damage.near:.3g}",
        f"{damage.drawn_together:.3g}",
        str(damage.flips),
        "exact" if damage.sqnr_db is None else f"{damage.sqnr_db:.1f}",
        f"{100 * damage.share_of_macs:.1f}",
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
