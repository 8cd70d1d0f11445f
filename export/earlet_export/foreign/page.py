"""The evidence of an adoption, as data and as a page, and the card of the adopted detector."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earlet.manifest import Calibration, Manifest, OperatingPoint, canonical_json
from earlet.metrics import EqualErrorRate
from earlet_export.card import POOLING, SHORT
from earlet_export.foreign.original import SUREST
from earlet_export.foreign.spec import Spec
from earlet_export.int8 import Calibrated
from earlet_export.ladder_page import why_fp32
from earlet_export.markdown import columns, decibels, percent, table
from earlet_export.operating_points import Point, points_table
from earlet_export.prove import Rung, rungs_data
from earlet_export.report_pictures import picture_parts
from earlet_export.speed import Speed


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """All that was assumed and measured.

    `away_from_the_file`: largest difference, in the file's own numbers, between what was held for
    the original and the untouched file. `spectra`: how many spectra are written out; `inexact`: by
    STFT or DFT of sizes that ONNX Runtime computes badly, so that they were held against themselves
    in double precision. `in_turn`: operators that walk over the pieces of a window.
    """

    spec: Spec
    data: str
    recordings: int
    golden_signals: int
    original_eer: EqualErrorRate
    original_sha256: str
    original_opset: int
    away_from_the_file: float
    squashing_removed: bool
    inexact: bool
    seam: str
    seam_found: bool
    spectra: int
    in_turn: tuple[str, ...]
    one_by_one: bool
    batched: bool
    layers: tuple[str, ...]
    kept_float: tuple[str, ...]
    calibration: Calibrated | None
    rungs: Mapping[str, Rung]
    speeds: tuple[Speed, ...]
    default_precision: str
    scale: Calibration
    threshold: float
    operating_point: OperatingPoint
    versions: Mapping[str, str]
    machine: str


def report_json(adoption: Adoption, sizes_bytes: Mapping[str, int]) -> str:
    """The adoption and the size of each graph's file, canonical JSON."""
    return canonical_json({**as_data(adoption), "sizes_bytes": dict(sizes_bytes)})


def as_data(adoption: Adoption) -> dict[str, Any]:
    """The adoption as plain dicts and lists; its manifest as the text that it was."""
    data = dataclasses.asdict(adoption)
    data["spec"] = adoption.spec.text
    data["adopted"] = True
    data["rungs"] = rungs_data(adoption.rungs)
    return data


def summary(adoption: Adoption, sizes_bytes: Mapping[str, int]) -> str:
    """A short table for the terminal."""
    header, *rows = ladder_rows(adoption, sizes_bytes)
    words = [f"default precision: {adoption.default_precision}"]
    if "int8" not in adoption.rungs:
        words.append(_no_int8(adoption))
    elif adoption.default_precision == "fp32":
        words.append(why_fp32(sizes_bytes))
    return "\n".join([*columns(header, rows), *words])


def ladder_rows(adoption: Adoption, sizes_bytes: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Header and one row for the original and for each graph."""
    speeds = {speed.candidate: speed for speed in adoption.speeds}
    rows: list[tuple[str, ...]] = [
        ("", "dev EER (95 %)", "max abs logit", "SQNR dB", "decision flips", "vs fp32", "size"),
        (
            "original",
            percent(adoption.original_eer),
            "0",
            "",
            "",
            f"{speeds['original'].ratio_to_fp32:.2f}",
            "",
        ),
    ]
    rows += [
        (
            name,
            percent(rung.eer),
            f"{rung.max_abs_logit:.2g}",
            decibels(rung.real.sqnr_db),
            f"{rung.flips} of {rung.decisions}",
            f"{speeds[name].ratio_to_fp32:.2f}",
            f"{sizes_bytes[name] / 1e3:.0f} kB",
        )
        for name, rung in adoption.rungs.items()
    ]
    return rows


def report_markdown(
    adoption: Adoption, sizes_bytes: Mapping[str, int], *, pictures: Sequence[str] = ()
) -> str:
    """The same for readers; `pictures`: names of those that lie beside it."""
    spec = adoption.spec
    header, *rows = ladder_rows(adoption, sizes_bytes)
    parts = [
        f"# {spec.name} {spec.version}: does the adopted detector match the original?",
        f"Asked: {adoption.recordings} recordings of {adoption.data} (dev split), some of their "
        "windows at five levels, cut short, in a row and clipped, and "
        f"{adoption.golden_signals} golden signals. Original: {_original(adoption)}.",
        "## The ladder",
        table(header, rows),
        "`vs fp32`: CPU time of one window on one thread, median over rounds of all candidates in "
        "turn. The original is called as it came, piece by piece from Python where it works in "
        "pieces, without graph optimizations: that is its row as a reference, not as a rival.",
        "## At other levels and under other conditions",
        table(
            ("graph", "sound", "max abs logit", "SQNR dB", "decision flips"),
            [
                (
                    rung.precision,
                    f"peak {at.peak_dbfs:g} dBFS",
                    f"{at.logits.max_abs:.2g}",
                    decibels(at.logits.sqnr_db),
                    f"{at.flips} of {at.windows}",
                )
                for rung in adoption.rungs.values()
                for at in rung.levels
            ]
            + [
                (
                    rung.precision,
                    under.condition,
                    f"{under.logits.max_abs:.2g}",
                    decibels(under.logits.sqnr_db),
                    f"{under.flips} of {under.recordings}",
                )
                for rung in adoption.rungs.values()
                for under in rung.conditions
            ],
        ),
        *picture_parts(pictures),
        "## What was assumed and done",
        *_done(adoption),
        "## Made with",
        ", ".join(f"{name} {v}" for name, v in sorted(adoption.versions.items()))
        + f", {adoption.machine}.",
    ]
    return "\n\n".join(parts) + "\n"


def card(manifest: Manifest, adoption: Adoption, points: Sequence[Point]) -> str:
    """Markdown: what the detector is, what nobody here can vouch for, and how it was measured."""
    spec, point, rate = adoption.spec, manifest.operating_point, manifest.sample_rate_hz
    window = manifest.window
    others = " or ".join(f"`{label}`" for label in manifest.labels if label != manifest.positive)
    eer = table(
        ("graph", "EER on dev (95 %)"),
        [
            ("original", percent(adoption.original_eer)),
            *((name, percent(rung.eer)) for name, rung in adoption.rungs.items()),
        ],
    )
    fitted = (
        "it was set on these very recordings, so these rates flatter it."
        if spec.decision.threshold is None
        else "the shipped one is its authors', the others were chosen on these recordings."
    )
    parts = [
        f"# {manifest.name} {manifest.version}",
        spec.description,
        "**Adopted:** this model was not trained with earlet. Its graph was rewritten to earlet's "
        "contract and proven equal to the original file; what that file does with sound of the "
        "world, its authors answer for.",
        "## What it says",
        f"For a recording it gives a score: the log-odds that it is `{manifest.positive}` rather "
        f"than {others}. From {manifest.threshold:.3f} on the label is `{manifest.positive}`.",
        f"It listens to windows of {window.window_samples / rate:.2f} s at {rate} Hz, one channel, "
        f"every {window.hop_samples / rate:.2f} s, and takes the {POOLING[window.pooling]} of "
        f"their scores. Shorter recordings, down to {window.min_samples / rate:.2f} s, "
        f"{SHORT[window.short]}.",
        "## What it is for, and what it is not",
        spec.intended_use
        or "Its manifest does not say what it is meant for: ask its authors before relying on it.",
        spec.limits
        or "Its manifest names no limits, which does not mean that there are none. It is one hint "
        "among several and no proof.",
        "## Training data",
        spec.training_data,
        "## Where it came from",
        f"{spec.origin or 'Not stated.'} SHA-256 of the original: `{adoption.original_sha256}`.",
        "## How well it does",
        f"On {adoption.recordings} recordings of {adoption.data}. Intervals: 95 %, resampled over "
        "speakers and systems.",
        eer,
        f"The threshold as shipped ({point.name}, {point.data}) and others, as the "
        f"{manifest.default_precision} graph scores; {fitted}",
        points_table(points, positive=manifest.positive),
        "## What was assumed to make it fit",
        *_done(adoption),
        "## Licence",
        f"{spec.licence}, as its manifest states; it is its authors' to give.",
    ]
    return "\n\n".join(parts) + "\n"


def _original(adoption: Adoption) -> str:
    return "the file as it came, in ONNX Runtime without optimizations, or the torch module itself"


def _done(adoption: Adoption) -> list[str]:
    """Every assumption, one line each, from the manifest and from what was found."""
    spec = adoption.spec
    constants = ", ".join(f"`{k}` = {v:g}" for k, v in spec.input.constants.items())
    lines = [
        f"It expects sound between -{spec.input.full_scale:g} and {spec.input.full_scale:g} at "
        f"{spec.data.sample_rate_hz} Hz.",
    ]
    if constants:
        lines.append(f"Constant inputs were filled in: {constants}.")
    if spec.chunks is not None:
        states = ", ".join(f"`{a}` from `{b}`" for a, b in spec.chunks.states.items()) or "none"
        lines += [
            f"It is called on pieces of {spec.chunks.samples} samples with {spec.chunks.context} "
            f"from before each (zeros at the start); memory: {states}, zero at the start of every "
            "window. Where such a model runs on through a recording, its memory does too: here the "
            "first moments of a window know less.",
            f"A window's score is the {_POOL[spec.chunks.pool]} of its {spec.pieces} pieces', as "
            "log-odds.",
        ]
    if adoption.in_turn:
        kinds = ", ".join(f"{n} {op}" for op, n in sorted(Counter(adoption.in_turn).items()))
        lines.append(
            f"Operators that depend on the memory walk in a Scan, in float: {kinds}."
            if adoption.batched
            else f"It takes one recording at a time: all of it walks in a Scan, in float: {kinds}."
        )
    if adoption.spectra:
        lines.append(
            f"Spectra, {adoption.spectra} of them (STFT, DFT, or convolutions with cosines and "
            "sines), were written out as products that ONNX Runtime computes faster."
        )
    if adoption.inexact:
        lines.append(
            "The size of STFT or DFT is no power of two, where ONNX Runtime's own operators are "
            "inexact. The original is therefore the file with these operators in double precision; "
            f"as it came, its answers were up to {adoption.away_from_the_file:.2g} away from that."
        )
    if adoption.one_by_one:
        lines.append(
            "In a batch its recordings heed each other (a level taken over all of them, perhaps), "
            "so everything up to the seam hears one at a time."
            if adoption.batched
            else "It takes one recording at a time, and so does everything up to the seam, in a "
            "Scan; behind it there may be several."
        )
    lines.append(_meaning(adoption))
    if spec.output.moments is not None:
        place = "window" if spec.chunks is None else "piece"
        lines.append(
            f"It answers moment by moment; the score of a {place} is the "
            f"{_POOL[spec.output.moments]} of its moments', as log-odds."
        )
    lines.append(
        f"Everything up to `{adoption.seam}` ({'found' if adoption.seam_found else 'as told'}) "
        f"stays float. {_integers(adoption)}"
    )
    if adoption.scale != Calibration():
        lines.append(
            f"Scores are {adoption.scale.scale:.4g} times the log-odds plus "
            f"{adoption.scale.offset:.4g}, fitted on dev."
        )
    lines.append(
        f"Operators were brought from set {adoption.original_opset} to 18; shape arithmetic and "
        "branches that never change were computed beforehand."
    )
    return ["\n".join(f"- {line}" for line in lines)]


def _meaning(adoption: Adoption) -> str:
    output = adoption.spec.output
    column = f"Number {output.at} of its answer" if output.at else "Its answer"
    if output.means == "value":
        return (
            f"{column} is a value; the log-odds are taken as {output.slope:g} x (value - "
            f"{output.center:g}). That is an assumption of this manifest, not of its authors."
        )
    if output.means in ("logits", "log-odds"):
        return f"{column} is taken as {output.means}."
    if adoption.squashing_removed:
        return (
            f"{column} is a {output.means}; the graph was cut before the last squashing, so the "
            "log-odds are not rounded."
            + (
                ""
                if adoption.inexact
                else " Squashed again they are at most "
                f"{adoption.away_from_the_file:.2g} from the untouched file's."
            )
        )
    return (
        f"{column} is a {output.means}, turned into log-odds; closer than {SUREST:g} to 0 or 1 it "
        f"is taken as {SUREST:g} away."
    )


def _integers(adoption: Adoption) -> str:
    if adoption.calibration is None:
        return _no_int8(adoption)
    kept = ", ".join(f"`{name}`" for name in adoption.kept_float) or "none"
    return (
        f"Of {len(adoption.layers)} layers behind it these were put back to float in int8.onnx: "
        f"{kept}; ranges by {adoption.calibration.method} from "
        f"{len(adoption.calibration.files)} train recordings"
        + (", biases corrected by some of them." if adoption.calibration.corrected_by else ".")
    )


def _no_int8(adoption: Adoption) -> str:
    if not adoption.layers:
        return "There is no int8 graph: no layer with weights stands behind it."
    return "There is no int8 graph: it was not asked for."


_POOL = {"max": "largest", "mean": "mean", "last": "last"}
