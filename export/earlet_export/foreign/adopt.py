"""The way from someone else's model to a bundle: wrap, prove, quantize, prove, time, write."""

import dataclasses
import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from earlet.errors import ParityError
from earlet.golden import GoldenRecord, digest, signals
from earlet.manifest import Calibration, Manifest, OperatingPoint
from earlet.metrics import EqualErrorRate
from earlet.scores import calibrate
from earlet.write import check_written, refuse_existing, write_bundle
from earlet_export.answers import Answers, Questions, Scale, ask, questions
from earlet_export.foreign.cut import Cut
from earlet_export.foreign.graph import plain_session
from earlet_export.foreign.model_file import read_model
from earlet_export.foreign.pack import pack
from earlet_export.foreign.page import Adoption
from earlet_export.foreign.spec import Spec
from earlet_export.foreign.torch_module import (
    TorchOriginal,
    build_module,
    export_module,
    weights_sha256,
)
from earlet_export.foreign.wrapped import Wrapped, wrap
from earlet_export.int8 import Proof, calibrated, make_int8
from earlet_export.join import join
from earlet_export.layer_noise import layer_noise
from earlet_export.material import Material
from earlet_export.operating_points import operating_points
from earlet_export.prove import Rung, broken_promises, check_finite, compare, error_rate
from earlet_export.quantize import layers
from earlet_export.report_pictures import NOISE_WINDOWS, Scores, draw
from earlet_export.run import Runner
from earlet_export.speed import faster_precision, one_thread, side_by_side
from earlet_train.calibration import fit_calibration, operating_point
from earlet_train.recipe import Export

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Precision = Literal["auto", "fp32", "int8"]
Step = Callable[[str], None]

# Taking a sigmoid off and putting it on again in float64 costs less than this in a probability.
FILE_MAX_ABS = 1e-5
_ROUNDS = 12


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """What was written, and the evidence in it."""

    path: Path
    manifest: Manifest
    adoption: Adoption


def adopt_model(
    wrapped: Wrapped,
    material: Material,
    *,
    out: Path,
    data: str,
    precision: Precision = "auto",
    replace: bool = False,
    pictures: bool = True,
    on_step: Step = lambda _: None,
) -> Adopted:
    """What `open_model` gave, and recordings -> the bundle `out`, or nothing.

    Raises ParityError where a promise is broken, UsageError where `out` cannot be written.
    """
    refuse_existing(out, replace=replace)
    with one_thread():
        manifest, files, adoption = _build(
            wrapped, material, data, precision, on_step, pictures=pictures
        )
    on_step(f"writing and verifying {out}")
    write_bundle(out, files, replace=replace, check=check_written)
    return Adopted(path=out, manifest=manifest, adoption=adoption)


def open_model(named: str, spec: Spec) -> Wrapped:
    """An ONNX file, or a torch module by its factory's name -> Wrapped.

    Raises RecipeError or BundleError where model and manifest do not fit.
    """
    with one_thread():
        return _opened(named, spec)


def _opened(named: str, spec: Spec) -> Wrapped:
    path = Path(named)
    if path.suffix == ".onnx" or ":" not in named:
        model = read_model(path)
        return wrap(model, spec, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    module = build_module(named)
    return wrap(
        export_module(module, spec),
        spec,
        sha256=weights_sha256(module),
        untouched=TorchOriginal(module=module, spec=spec),
    )


def _build(
    wrapped: Wrapped,
    material: Material,
    data: str,
    precision: Precision,
    on_step: Step,
    *,
    pictures: bool,
) -> tuple[Manifest, dict[str, bytes], Adoption]:
    """Everything but the writing."""
    spec = wrapped.spec
    waves = signals(window=spec.data.window, sample_rate_hz=spec.data.sample_rate_hz)
    asked = questions(waves, material.trials, window=spec.data.window)
    on_step(f"asking the original about {len(asked.trials)} dev recordings")
    original = ask(wrapped.logits, asked)
    check_finite("the original", original, asked)
    scale, point = _decide(original, material, spec, data=data)
    prover = _Prover(asked=asked, original=original, scale=scale, spec=spec)

    on_step("holding it against the untouched file")
    some = np.stack([*waves.values(), *(t.windows[0] for t in material.trials[:20])])
    away = wrapped.away_from_the_file(some)
    if not wrapped.inexact and not away <= FILE_MAX_ABS:
        raise ParityError(
            f"what stands before the model's last squashing gives probabilities {away:.3g} away "
            f"from the model's own; at most {FILE_MAX_ABS:.3g} is rounding. Say means = 'value' "
            "with the logit's own output, or please report this model."
        )

    on_step("proving fp32")
    halves, spectra = prover.faithful(wrapped, on_step)
    traced = halves.traced
    graphs = {"fp32": join(traced.frontend, traced.model)}
    rungs = {"fp32": prover.kept("fp32", graphs["fp32"])}
    int8 = None
    if precision != "fp32" and layers(traced.model):
        on_step(f"quantizing with {len(material.calibration)} train recordings, proving int8")
        proof = Proof(
            asked=asked,
            original=original,
            scale=scale,
            original_eer=prover.original_eer.eer,
            rung=lambda graph: prover.rung("int8", graph),
            broken=prover.broken,
        )
        wanted = Export(
            calibration_clips=spec.export.calibration_clips, calibration=spec.export.calibration
        )
        int8 = make_int8(traced, material, proof, wanted=wanted, on_step=on_step)
        graphs["int8"] = join(traced.frontend, int8.model)
        rungs["int8"] = prover.kept("int8", graphs["int8"])

    on_step("timing the original and its graphs side by side")
    runs: dict[str, Callable[[Array], Array]] = {n: Runner.of(g) for n, g in graphs.items()}
    speeds = tuple(
        side_by_side(
            {"original": wrapped.untouched, **runs},
            material.trials[0].windows[:1],
            rounds=_ROUNDS,
        ).values()
    )
    adoption = Adoption(
        spec=spec,
        data=data,
        recordings=len(asked.trials),
        golden_signals=len(waves),
        original_eer=prover.original_eer,
        original_sha256=wrapped.sha256,
        original_opset=wrapped.opset,
        away_from_the_file=away,
        squashing_removed=wrapped.tapped,
        inexact=wrapped.inexact,
        seam=halves.seam,
        seam_found=halves.found,
        spectra=spectra,
        in_turn=wrapped.in_turn,
        one_by_one=wrapped.one_by_one,
        batched=wrapped.ports.batched,
        layers=tuple(layers(traced.model)),
        kept_float=int8.kept_float if int8 else (),
        calibration=calibrated(int8, material) if int8 else None,
        rungs=rungs,
        speeds=speeds,
        default_precision=faster_precision(speeds) if precision == "auto" else precision,
        scale=scale.calibration,
        threshold=scale.threshold,
        operating_point=point,
        versions=_versions(),
        machine=platform.machine(),
    )
    if adoption.default_precision not in graphs:
        adoption = dataclasses.replace(adoption, default_precision="fp32")
    record = _golden(wrapped.logits, traced.frontend, waves)
    scores = prover.scores(data)
    points = operating_points(scores, rung=adoption.default_precision)
    drawn: dict[str, bytes] = {}
    if pictures:
        on_step("drawing")
        windows = [trial.windows[:1] for trial in material.trials[:NOISE_WINDOWS]]
        features = [Runner.of(traced.frontend)(window) for window in windows]
        noise = layer_noise(traced.model, int8.model, features) if int8 else ()
        drawn = draw(scores, noise)
    manifest, files = pack(adoption, graphs=graphs, record=record, pictures=drawn, points=points)
    return manifest, files, adoption


class _Prover:
    """Holds what every rung is compared with."""

    def __init__(self, *, asked: Questions, original: Answers, scale: Scale, spec: Spec) -> None:
        self.asked, self.original, self.scale, self.spec = asked, original, scale, spec
        self.original_eer: EqualErrorRate = error_rate(
            original.trials, trials=asked.trials, scale=scale
        )
        self.answers: dict[str, Answers] = {"original": original}

    def scores(self, data: str) -> Scores:
        """What every graph said to the recordings, the original first."""
        trials = self.asked.trials
        return Scores(
            by_rung={
                name: self.scale.trial_scores(answers.trials)
                for name, answers in self.answers.items()
            },
            is_positive=np.array([heard.trial.key == self.scale.positive for heard in trials]),
            positive=self.scale.positive,
            threshold=self.scale.threshold,
            data=f"{len(trials)} dev recordings of {data}",
            groups=tuple(heard.group for heard in trials),
        )

    def faithful(self, wrapped: Wrapped, on_step: Step) -> tuple[Cut, int]:
        """The two halves to go on with, and how many spectra are written out in them.

        The model's own operators come back where what was written out strays from what they give:
        at sizes that they compute inexactly, an ONNX file means their numbers all the same.
        """
        traced = wrapped.cut.traced
        broken = self.broken(self.rung("fp32", join(traced.frontend, traced.model)))
        if not broken:
            return wrapped.cut, wrapped.spectra
        on_step(f"its frontend stays as it came: written anew, {'; '.join(broken)}")
        return wrapped.as_it_came, 0

    def kept(self, precision: str, graph: onnx.ModelProto) -> Rung:
        """The rung of a graph that keeps its promises. Raises ParityError where it does not."""
        rung = self.rung(precision, graph)
        broken = self.broken(rung)
        if broken:
            remedy = (
                "adopt with --precision fp32"
                if precision == "int8"
                else "look in the model for numbers that rounding decides: the phase of "
                "silence, 16-bit floats"
            )
            raise ParityError(
                f"{'; '.join(broken)}. No bundle was written. Change [promises] of "
                f"{self.spec.source}, or {remedy}."
            )
        return rung

    def rung(self, precision: str, graph: onnx.ModelProto) -> Rung:
        """One graph against the original; `answers` keeps what the last one of its kind said."""
        answers = self.answers[precision] = ask(Runner.of(graph), self.asked)
        return compare(precision, answers, self.original, asked=self.asked, scale=self.scale)

    def broken(self, rung: Rung) -> tuple[str, ...]:
        """The promises that it breaks."""
        return broken_promises(
            rung, original_eer=self.original_eer.eer, promises=self.spec.promises
        )


def _decide(
    original: Answers, material: Material, spec: Spec, *, data: str
) -> tuple[Scale, OperatingPoint]:
    """Where the scores stand and where they are cut: as the manifest says, or fitted on dev."""
    neutral = Scale(
        positive=spec.positive,
        positive_index=spec.positive_index,
        calibration=Calibration(),
        threshold=0.0,
        window=spec.data.window,
    )
    raw = neutral.trial_scores(original.trials)
    is_positive = np.array([heard.trial.key == spec.positive for heard in material.trials])
    calibration = fit_calibration(raw, is_positive) if spec.decision.calibrate else Calibration()
    said = spec.decision.log_odds
    where = f"{len(raw)} dev recordings of {data}"
    if said is None:
        threshold, point = operating_point(raw, is_positive, calibration, data=where)
    else:
        threshold = said
        scores = calibrate(raw, calibration)
        point = OperatingPoint(
            name=f"the authors' threshold, probability {spec.decision.threshold:g}",
            data=where,
            miss_rate=float(np.mean(scores[is_positive] < threshold)),
            false_alarm_rate=float(np.mean(scores[~is_positive] >= threshold)),
        )
    return dataclasses.replace(neutral, calibration=calibration, threshold=threshold), point


def _golden(
    logits: Callable[[Array], Array], frontend: onnx.ModelProto, waves: Mapping[str, Array]
) -> GoldenRecord:
    """The original's answers; features as the unoptimized frontend gives them."""
    session = plain_session(frontend.SerializeToString(), source="the frontend")
    name = session.get_inputs()[0].name
    summaries = []
    for wave in waves.values():
        features = session.run(None, {name: wave[None]})[0]
        summaries.append([features.mean(dtype=np.float64), features.std(dtype=np.float64)])
    return GoldenRecord(
        names=tuple(waves),
        logits=logits(np.stack(list(waves.values()))),
        feature_summary=np.array(summaries, dtype=np.float32),
        signals_sha256=digest(waves),
    )


def _versions() -> dict[str, str]:
    packages = ("earlet", "numpy", "onnx", "onnxruntime", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
