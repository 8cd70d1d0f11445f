"""The ladder as a reader sees it: one table for each depth, one for levels and conditions."""

from collections.abc import Mapping, Sequence

from earlet.agreement import Ranks
from earlet.metrics import EqualErrorRate
from earlet_export.ladder import FLOAT64, Ladder, Step
from earlet_export.markdown import decibels, percent, table
from earlet_export.prove import Decided, Difference, Rung

Rows = Sequence[Sequence[str]]

DISTANCE_HEADER = (
    *("rung", "max from torch", "mean", "SQNR dB"),
    *("max from float64", "SQNR dB", "farthest on"),
)
DECISION_HEADER = ("rung", "EER (95 %)", "decisions changed", "Spearman", "pairs ordered alike")
CONDITION_HEADER = ("precision", "what", "max abs logit", "SQNR dB", "decisions changed")


def ladder_parts(
    ladder: Ladder, rungs: Mapping[str, Rung], *, original_eer: EqualErrorRate
) -> list[str]:
    """Words and tables, from the waveform to the decision."""
    return [
        "## The ladder",
        "Every rung against the PyTorch original (torch, float32), at three depths. "
        + float64_words(ladder),
        "### Features: what the model hears",
        table(DISTANCE_HEADER, distance_rows(ladder, depth="features")),
        "### Logits: what it answers",
        table(DISTANCE_HEADER, distance_rows(ladder, depth="logits")),
        "### Decisions: what a user is told",
        table(DECISION_HEADER, decision_rows(ladder, rungs, original_eer=original_eer)),
    ]


def why_fp32(sizes_bytes: Mapping[str, int]) -> str:
    """Where int8 keeps its promise and fp32 is the default all the same: what int8 is good for."""
    if sizes_bytes["int8"] < sizes_bytes["fp32"]:
        return "int8 is not clearly faster here: use it for its size, or where `bench` says so"
    return "int8 is neither clearly faster nor smaller here: use fp32"


def float64_words(ladder: Ladder) -> str:
    """What the top rung stands on, or why there is none."""
    top = ladder.float64
    if top is None:
        return f"There is no rung in float64: {ladder.why_not_float64}."
    return (
        f"The top rung computes in float64 with the same weights, on {top.golden_signals} golden "
        f"signals and {top.recordings} of the recordings: where a graph is no farther from it "
        "than torch is, the difference is float32's own."
    )


def distance_rows(ladder: Ladder, *, depth: str) -> Rows:
    """Rows for `DISTANCE_HEADER`. `depth`: `features` or `logits`."""
    steps = ladder.features if depth == "features" else ladder.logits
    rows = []
    if ladder.float64 is not None:
        apart = ladder.float64.features if depth == "features" else ladder.float64.logits
        rows.append((FLOAT64, *_three(apart), "0", "", ""))
        rows.append(("torch", "0", "0", "", *_two(apart), ""))
    return [*rows, *((name, *_of_step(step)) for name, step in steps.items())]


def decision_rows(
    ladder: Ladder, rungs: Mapping[str, Rung], *, original_eer: EqualErrorRate
) -> Rows:
    """Rows for `DECISION_HEADER`; that of float64 stands on fewer recordings, and says so."""
    rows: list[Sequence[str]] = []
    if ladder.float64 is not None:
        top = ladder.float64.decided
        rows.append(
            (
                f"{FLOAT64}, {top.decisions} recordings",
                percent(top.eer),
                _changed(top),
                *rank_words(top.ranks),
            )
        )
    rows.append(("torch", percent(original_eer), "", "", ""))
    rows += [
        (
            name,
            percent(rung.eer),
            _changed(rung),
            *rank_words(rung.ranks),
        )
        for name, rung in rungs.items()
    ]
    return rows


def condition_rows(rungs: Mapping[str, Rung]) -> Rows:
    """Rows for `CONDITION_HEADER`: levels, then lengths, clipping and the extremes."""
    rows: list[Sequence[str]] = []
    for rung in rungs.values():
        rows += [
            (
                rung.precision,
                f"peak {at.peak_dbfs:g} dBFS",
                f"{at.logits.max_abs:.2g}",
                decibels(at.logits.sqnr_db),
                f"{at.flips} of {at.windows}",
            )
            for at in rung.levels
        ]
        rows += [
            (
                rung.precision,
                under.condition,
                f"{under.logits.max_abs:.2g}",
                decibels(under.logits.sqnr_db),
                f"{under.flips} of {under.recordings}",
            )
            for under in rung.conditions
        ]
        batch = f"{rung.batch_of_three_max_abs:.2g}"
        rows.append((rung.precision, "three in a batch, from one by one", batch, "", ""))
    return rows


def rank_words(ranks: Ranks) -> tuple[str, str]:
    """Spearman's correlation; the share of pairs in percent."""
    spearman, alike = ranks.spearman, ranks.ordered_alike
    return (
        "no order" if spearman is None else f"{spearman:.5f}",
        "no order" if alike is None else f"{100 * alike:.2f} %",
    )


def _changed(found: Decided | Rung) -> str:
    """Decisions that differ; of many labels also the likeliest label."""
    words = f"{found.flips} of {found.decisions}"
    return words if found.relabelled is None else f"{words}; likeliest label: {found.relabelled}"


def _of_step(step: Step) -> tuple[str, ...]:
    exact = ("", "") if step.from_float64 is None else _two(step.from_float64)
    return (*_three(step.from_torch), *exact, step.worst)


def _three(found: Difference) -> tuple[str, str, str]:
    return (f"{found.max_abs:.2g}", f"{found.mean_abs:.2g}", decibels(found.sqnr_db))


def _two(found: Difference) -> tuple[str, str]:
    return (f"{found.max_abs:.2g}", decibels(found.sqnr_db))
