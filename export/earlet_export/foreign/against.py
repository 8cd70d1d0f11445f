"""Holds an adopted bundle against the model it says it was made of, as `verify --against` does.

The untouched file answers anew, piece by piece as its authors call it. What its numbers mean stands
in the manifest that the bundle carries, the one that `earlet adopt` was given.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from earlet.against import Plan
from earlet.bundle import Bundle
from earlet.errors import BundleError, ParityError, RecipeError, UsageError
from earlet.golden import signals
from earlet.manifest import Calibration, Manifest
from earlet.metrics import EqualErrorRate
from earlet_export.against import golden_differences, proof_of, too_much_room
from earlet_export.answers import Questions, Scale, ask, questions
from earlet_export.difference import Difference, Gap
from earlet_export.foreign.adopt import FILE_MAX_ABS, open_model
from earlet_export.foreign.spec import Spec, parse_spec
from earlet_export.foreign.wrapped import Wrapped
from earlet_export.ladder_page import CONDITION_HEADER, condition_rows
from earlet_export.markdown import columns, decibels, percent
from earlet_export.prove import Rung, broken_promises, check_finite, compare, error_rate, rungs_data
from earlet_export.run import Runner
from earlet_export.seam import up_to_features

HEADER = (
    *("", "EER (95 %)", "max abs logit", "SQNR dB", "decisions changed"),
    "max abs feature",
)


@dataclass(frozen=True, kw_only=True)
class AgainstOriginal:
    """What was found. `broken`: every promise and claim that does not hold.

    `away_from_the_file`: what is held for the original, less the untouched file's own numbers.
    """

    original: str
    original_sha256: str
    data: str
    split: str
    recordings: int
    proved_on: int
    left_out: tuple[str, ...]
    original_eer: EqualErrorRate
    away_from_the_file: float
    features: Mapping[str, Difference]
    rungs: Mapping[str, Rung]
    broken: tuple[str, ...]

    def lines(self) -> list[str]:
        """For the terminal."""
        rows = [("original", percent(self.original_eer), "0", "", "", "0")]
        rows += [
            (
                name,
                percent(rung.eer),
                f"{rung.max_abs_logit:.2g}",
                decibels(rung.real.sqnr_db),
                f"{rung.flips} of {rung.decisions}",
                f"{self.features[name].max_abs:.2g}",
            )
            for name, rung in self.rungs.items()
        ]
        lines = [
            f"against {self.original} ({self.original_sha256[:12]}), on {self.recordings} "
            f"recordings of {self.data} ({self.split} split):"
        ]
        if self.recordings < self.proved_on:
            lines.append(
                f"The adoption was proved on {self.proved_on} recordings; on fewer, one decision "
                "is a larger share of them all."
            )
        conditions = columns(CONDITION_HEADER, condition_rows(self.rungs))
        lines += ["", *(f"  {line}" for line in columns(HEADER, rows))]
        lines += ["", "levels, lengths and extremes:", *(f"  {line}" for line in conditions), ""]
        if self.broken:
            return [*lines, *(f"BROKEN: {one}" for one in self.broken)]
        return [*lines, "every promise of its manifest is kept, and the bundle says what is true"]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"rungs": rungs_data(self.rungs)}


def climb_adopted(bundle: Bundle, named: str, plan: Plan) -> AgainstOriginal:
    """The files of the bundle against an ONNX file or `package.module:factory`.

    Raises BundleError on a damaged file and on a bundle that was not adopted, RecipeError where
    model and manifest do not fit, CorpusError on recordings that cannot be used, UsageError
    without recordings, ParityError where a number is not finite.
    """
    manifest = bundle.manifest
    spec = _spec(manifest)
    if plan.data is None:
        raise UsageError(
            "an adopted bundle does not say where its recordings lie. Give a corpus: --data FOLDER"
        )
    plan.on_step(f"taking {named} apart")
    wrapped = open_model(named, spec)
    broken = contract_differences(manifest, wrapped)
    plan.on_step(f"reading recordings of {plan.data}")
    window, rate_hz = spec.data.window, spec.data.sample_rate_hz
    trials, bad = proof_of(
        plan.data,
        plan,
        window=window,
        sample_rate_hz=rate_hz,
        positive=spec.positive,
        seed=0,
    )
    asked = questions(signals(window=window, sample_rate_hz=rate_hz), trials, window=window)
    scale = Scale(
        positive=spec.positive,
        positive_index=spec.positive_index,
        calibration=manifest.calibration,
        threshold=manifest.threshold,
        window=window,
    )
    plan.on_step(f"asking {named} about {len(trials)} recordings")
    original = ask(wrapped.logits, asked)
    check_finite("the original", original, asked)
    away = wrapped.away_from_the_file(np.stack([*asked.golden.values()]))
    if not wrapped.inexact and not away <= FILE_MAX_ABS:
        broken.append(
            f"what stands before the model's last squashing is {away:.3g} away from the file's "
            f"own answers; {FILE_MAX_ABS:.3g} is rounding"
        )
    promises = spec.promises
    allowed = promises.fp32_max_abs_logit
    broken += golden_differences(bundle, original, window=window, rate_hz=rate_hz, allowed=allowed)
    original_eer = error_rate(original.trials, trials=trials, scale=scale)
    rungs, features = {}, {}
    for precision in plan.precisions:
        plan.on_step(f"asking the {precision} graph")
        data, _ = bundle.graph(precision)
        session = bundle.session_of(data, precision=precision, threads=plan.threads)
        rung = rungs[precision] = compare(
            precision, ask(session.logits, asked), original, asked=asked, scale=scale
        )
        graph = up_to_features(onnx.load_model_from_string(data), source=session.source)
        heard = features[precision] = _features(wrapped, Runner.of(graph), asked)
        broken += broken_promises(rung, original_eer=original_eer.eer, promises=promises)
        broken += too_much_room(manifest, rung, promises)
        if heard.sqnr_db is not None and heard.sqnr_db < promises.features_min_sqnr_db:
            broken.append(
                f"the {precision} graph hears other features than the original's first part "
                f"gives: SQNR {heard.sqnr_db:.1f} dB, promised "
                f"{promises.features_min_sqnr_db:g} dB"
            )
    return AgainstOriginal(
        original=named,
        original_sha256=wrapped.sha256,
        data=plan.data.resolve().name,
        split=plan.split,
        recordings=len(trials),
        proved_on=max(graph.decisions for graph in manifest.graphs.values()),
        left_out=tuple(str(one.trial.file) for one in bad),
        original_eer=original_eer,
        away_from_the_file=away,
        features=features,
        rungs=rungs,
        broken=tuple(broken),
    )


def contract_differences(manifest: Manifest, wrapped: Wrapped) -> list[str]:
    """What a bundle says of itself, and its model or the manifest it was given say otherwise."""
    spec, decision = wrapped.spec, wrapped.spec.decision
    said: dict[str, tuple[object, object]] = {
        "original": (manifest.provenance.checkpoint_sha256, wrapped.sha256),
        "labels, in the order of the logits": (manifest.labels, spec.labels),
        "positive label": (manifest.positive, spec.positive),
        "sample rate": (manifest.sample_rate_hz, spec.data.sample_rate_hz),
        "window policy": (manifest.window, spec.data.window),
    }
    if not decision.calibrate:
        said["calibration"] = (manifest.calibration, Calibration())
    if decision.log_odds is not None:
        said["threshold"] = (round(manifest.threshold, 9), round(decision.log_odds, 9))
    return [
        f"the bundle's {what} is not what it was made of: it says {ours}, the original {theirs}"
        for what, (ours, theirs) in said.items()
        if ours != theirs
    ]


def _spec(manifest: Manifest) -> Spec:
    """The manifest that `earlet adopt` was given. Raises BundleError where there is none."""
    text = manifest.provenance.recipe
    try:
        adopted = "output" in tomllib.loads(text)
        if adopted:
            return parse_spec(text, source="the manifest that the bundle carries")
    except (tomllib.TOMLDecodeError, RecipeError) as error:
        raise BundleError(f"the bundle does not say what its model takes: {error}") from None
    raise BundleError(
        f"{manifest.name} was exported from a training run, not adopted from someone's model. "
        "Give that run: --against RUN"
    )


def _features(wrapped: Wrapped, graph: Runner, asked: Questions) -> Difference:
    """Golden signals and the first window of every recording, up to the seam."""
    nearest = wrapped.cut if wrapped.inexact else wrapped.as_it_came
    first, gap = Runner.of(nearest.traced.frontend), Gap()
    for window in (*asked.golden.values(), *(trial.windows[0] for trial in asked.trials)):
        gap.add(first(window[None]), graph(window[None]))
    found = gap.difference()
    if not np.isfinite(found.max_abs):
        raise ParityError("a graph gives features that are not finite.")
    return found
