"""The evidence of an export, as data (report.json) and as a page (report.md)."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from earlet.accuracy import Accuracy
from earlet.manifest import canonical_json
from earlet.metrics import EqualErrorRate
from earlet_export.frontier import Point
from earlet_export.frontier_page import frontier_parts
from earlet_export.int8 import Calibrated
from earlet_export.ladder import Ladder
from earlet_export.ladder_page import CONDITION_HEADER, condition_rows, ladder_parts, why_fp32
from earlet_export.lengths_page import length_line, length_parts
from earlet_export.lint_page import lint_parts, short_lines
from earlet_export.linter import Lint
from earlet_export.markdown import columns, decibels, percent, rate_words
from earlet_export.markdown import table as table  # also for whoever asks here
from earlet_export.prove import Difference, Rung, rungs_data
from earlet_export.prove_lengths import AtLength
from earlet_export.report_pictures import picture_parts, shown
from earlet_export.sensitivity import Damage
from earlet_export.speed import Speed
from earlet_export.streaming.page import stream_line, stream_parts
from earlet_export.streaming.streams import StreamsFound
from earlet_train.recipe import Promises


@dataclass(frozen=True, kw_only=True)
class Against:
    """The finished run that this one was fine-tuned from: what its PyTorch network does."""

    checkpoint_sha256: str
    eer: EqualErrorRate


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was measured. `rungs` by precision; `features`: the frontend on golden signals.

    `recordings`: dev recordings asked about; `kept_float`: nodes of the int8 graph that stayed
    float, `ranking` why (empty where int8 held without). `held_out`: error rates of each rung on
    the eval split, which nothing was chosen on; empty where the corpus has none. `left_out`:
    recordings of the corpus that could not be used, and why. `frontier`: every graph that was
    tried; `calibration`: what taught int8 its ranges, None without int8. `against`: the run whose
    EER int8 was held against, where that is another than the one exported. `lints`: by precision,
    what runs slowly and why. `streams`: None where it was not to stream. `lengths`: where the
    graphs take any length, those that were tried.
    """

    name: str
    version: str
    data: str
    recordings: int
    golden_signals: int
    original_eer: EqualErrorRate
    features: Difference
    ladder: Ladder
    rungs: Mapping[str, Rung]
    promises: Promises
    calibration_clips: int
    kept_float: tuple[str, ...]
    ranking: tuple[Damage, ...]
    speeds: tuple[Speed, ...]
    default_precision: str
    versions: Mapping[str, str]
    machine: str
    held_out: Mapping[str, Accuracy] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    frontier: tuple[Point, ...] = ()
    calibration: Calibrated | None = None
    against: Against | None = None
    lints: Mapping[str, Lint] = field(default_factory=dict)
    streams: StreamsFound | None = None
    lengths: tuple[AtLength, ...] = ()

    @property
    def any_length_from_samples(self) -> int | None:
        """The shortest waveform that the graphs take; None where they take one window."""
        return min((at.samples for at in self.lengths), default=None)

    @property
    def promised_from(self) -> EqualErrorRate:
        """The EER that int8 may raise by so much."""
        return self.against.eer if self.against else self.original_eer


def report_json(report: Report, sizes_bytes: Mapping[str, int]) -> str:
    """The report and the size of each graph's file, canonical JSON."""
    return canonical_json({**as_data(report), "sizes_bytes": dict(sizes_bytes)})


def as_data(report: Report) -> dict[str, Any]:
    """The report as plain dicts and lists, with what its rungs compute from themselves."""
    data = dataclasses.asdict(report)
    if not report.lengths:
        del data["lengths"]
    data["rungs"] = rungs_data(report.rungs)
    return data


def summary(report: Report, sizes_bytes: Mapping[str, int]) -> str:
    """A short table for the terminal: each rung with its error, distance, speed and size."""
    ladder = ladder_rows(report)
    speeds = {speed.candidate: speed for speed in report.speeds}
    header = ("", "dev EER (95 %)", "max |logit diff|", "flips", "p50 ms", "vs fp32", "size")
    rows = [
        (
            row[0],
            row[1],
            row[2],
            row[5],
            f"{speeds[row[0]].p50_ms:.2f}",
            f"{speeds[row[0]].ratio_to_fp32:.2f}",
            f"{sizes_bytes[row[0]] / 1e3:.0f} kB" if row[0] in sizes_bytes else "",
        )
        for row in ladder[1:]
    ]
    lines = columns(header, rows)
    words = [f"default precision: {report.default_precision}"]
    if "int8" in report.rungs and report.default_precision == "fp32":
        words.append(why_fp32(sizes_bytes))
    if report.ranking:
        words.append(f"layers put back to float: {', '.join(report.kept_float)}")
    if report.lengths:
        words.append(length_line(report.lengths))
    if report.streams is not None:
        words.append(stream_line(report.streams, report.default_precision))
    if report.default_precision in report.lints:
        words += short_lines(report.lints[report.default_precision])
    return "\n".join([*lines, *words])


def report_markdown(
    report: Report, sizes_bytes: Mapping[str, int], *, pictures: Sequence[str] = ()
) -> str:
    """The same for readers; `pictures`: names of those that lie beside the page."""
    ladder = ladder_rows(report)
    parts = [
        f"# {report.name} {report.version}: does the exported detector match the original?",
        f"Asked: {report.recordings} recordings of {report.data} (dev split), {_few(report)}, and "
        f"{report.golden_signals} golden signals. Original: the PyTorch network."
        + _left_out_words(report),
        "## In short",
        table(ladder[0], ladder[1:]),
        _kept_words(report),
        *ladder_parts(report.ladder, report.rungs, original_eer=report.original_eer),
        *held_out_parts(report),
        *length_parts(report.lengths),
        *stream_parts(report.streams),
        "## At other levels, of other lengths",
        f"Levels: {_few(report)}. Other conditions: the same windows cut short, several in a row, "
        "or clipped; and the two most extreme golden signals.",
        table(CONDITION_HEADER, condition_rows(report.rungs)),
        "## Promises of the recipe",
        table(
            ("promise", "limit", "found"),
            _promise_rows(report),
        ),
        "## Speed where it was exported",
        "One window on one thread, all candidates in turn; the ratio is the median over rounds of "
        "CPU time. For another machine run `earlet bench`.",
        table(
            ("candidate", "p50 ms", "p90 ms", "ratio to fp32", "file"),
            [
                (
                    speed.candidate,
                    f"{speed.p50_ms:.2f}",
                    f"{speed.p90_ms:.2f}",
                    f"{speed.ratio_to_fp32:.2f}",
                    f"{sizes_bytes[speed.candidate] / 1e3:.0f} kB"
                    if speed.candidate in sizes_bytes
                    else "",
                )
                for speed in report.speeds
            ],
        ),
        f"Default precision: **{report.default_precision}**.",
        *shown(frontier_parts(report.frontier, report.ranking), pictures),
        *picture_parts(pictures),
        *lint_parts(report.lints),
        "## Made with",
        ", ".join(f"{name} {v}" for name, v in sorted(report.versions.items()))
        + f", {report.machine}.",
    ]
    return "\n\n".join(parts) + "\n"


def _left_out_words(report: Report) -> str:
    if not report.left_out:
        return ""
    first = "; ".join(f"{file} {why}" for file, why in list(report.left_out.items())[:3])
    more = "; ..." if len(report.left_out) > 3 else ""
    return f" Left out as asked: {len(report.left_out)} that cannot be used ({first}{more})."


def ladder_rows(report: Report) -> list[tuple[str, ...]]:
    """Header and one row per rung: EER with interval, distances, decision flips."""
    rows: list[tuple[str, ...]] = [
        ("rung", "dev EER (95 %)", "max abs logit", "mean abs", "SQNR dB", "decision flips"),
        ("torch", percent(report.original_eer), "0", "0", "", ""),
    ]
    rows += [
        (
            name,
            percent(rung.eer),
            f"{rung.max_abs_logit:.2g}",
            f"{rung.real.mean_abs:.2g}",
            decibels(rung.real.sqnr_db),
            f"{rung.flips} of {rung.decisions}",
        )
        for name, rung in report.rungs.items()
    ]
    return rows


def held_out_parts(report: Report) -> list[str]:
    """A section on the eval split: heading, words, table of pools, table of attacks."""
    if not report.held_out:
        return []
    first = next(iter(report.held_out.values()))
    drawn = "" if first.trials == first.listed else f" drawn from {first.listed}"
    names = list(report.held_out)
    pools = [name for name in _POOLS if name in first.pools]
    return [
        "## On recordings that nothing was chosen on",
        f"{first.trials} recordings{drawn} of the eval split of {first.data}: other people, other "
        "sentences, other voices; *known* attacks are of the kinds that training saw, *unknown* "
        "ones are not. EER with 95 % interval, resampled over voices and systems; 50 % is chance.",
        table(
            ("attacks", "trials", *names),
            [
                (
                    _POOLS[pool],
                    f"{first.pools[pool].bona_fide} + {first.pools[pool].spoof}",
                    *(rate_words(found.pools[pool]) for found in report.held_out.values()),
                )
                for pool in pools
            ],
        ),
        table(
            ("attack", *names),
            [
                (
                    attack,
                    *(f"{100 * found.attacks[attack]:.1f} %" for found in report.held_out.values()),
                )
                for attack in first.attacks
            ],
        ),
    ]


_POOLS = {
    "known": "known",
    "unknown": "unknown",
    "pooled": "all",
    "tts": "text to speech",
    "conversion": "copies and conversions",
}


def _promise_rows(report: Report) -> list[tuple[str, str, str]]:
    promises = report.promises
    rows = [
        (
            "fp32 moves no logit by more than",
            f"{promises.fp32_max_abs_logit:.2g}",
            f"{report.rungs['fp32'].max_abs_logit:.2g}",
        )
    ]
    rows += [
        (
            f"features of {name}: SQNR in dB at least",
            f"{promises.features_min_sqnr_db:g}",
            decibels(step.from_torch.sqnr_db),
        )
        for name, step in report.ladder.features.items()
    ]
    if "int8" in report.rungs:
        rung = report.rungs["int8"]
        increase = rung.eer.eer - report.promised_from.eer
        rows += [
            (
                "int8 changes at most this share of decisions",
                f"{promises.int8_max_flip_rate:.2%}",
                f"{rung.flip_rate:.2%}",
            ),
            (
                "int8 raises the EER by at most"
                + (" (of the run it was fine-tuned from)" if report.against else ""),
                f"{promises.int8_max_eer_increase:.2%}",
                f"{increase:+.2%}",
            ),
        ]
    return rows


def _kept_words(report: Report) -> str:
    words = [_int8_words(report)]
    if "fp16" in report.rungs:
        words.append(
            "fp16: the model's weights in 16 bits, computed with in 32: a smaller file, no faster."
        )
    if report.against:
        words.append(
            f"The run was fine-tuned from checkpoint `{report.against.checkpoint_sha256[:12]}`, "
            f"whose dev EER on the same recordings is {percent(report.against.eer)}: that is what "
            "int8 is held against."
        )
    return " ".join(words)


def _int8_words(report: Report) -> str:
    if "int8" not in report.rungs:
        return "There is no int8 graph: it was not asked for."
    rung = report.rungs["int8"]
    method = report.calibration.method if report.calibration else ""
    how = f" ({method})" if method else ""
    loud = "as loud as they are" if method == "own-level" else "at three levels each"
    words = [
        f"int8: ranges{how} from {report.calibration_clips} train recordings {loud}, "
        "named in report.json; the frontend and the last layer are float."
    ]
    if method == "own-level":
        words.append(
            "No quieter copies of them were heard, so look below at what int8 does to quiet sound."
        )
    if report.calibration and report.calibration.corrected_by:
        words.append(
            f"Biases were corrected by {report.calibration.corrected_by} of them, so that each "
            "layer gives on average what it gives in float."
        )
    if report.kept_float:
        words.append(f"Also float: {', '.join(f'`{name}`' for name in report.kept_float)}.")
    if report.ranking:
        words.append("They were put back because int8 alone did not hold its promise.")
    if rung.flips:
        words.append(
            f"Where a decision changed, the original stood at most {rung.widest_flip:.2g} from "
            "the threshold."
        )
    return " ".join(words)


def _few(report: Report) -> str:
    some = next(iter(report.rungs.values())).levels
    return f"{some[0].windows} of their windows at {len(some)} levels"
