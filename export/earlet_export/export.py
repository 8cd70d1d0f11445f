"""The whole way from a checkpoint to a bundle: trace, prove, quantize, prove, time, write."""

import dataclasses
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from earlet.accuracy import measure_accuracy
from earlet.bundle import Bundle
from earlet.errors import ParityError
from earlet.golden import signals
from earlet.manifest import Manifest
from earlet.replay import replay
from earlet_export.answers import Answers, Questions, Scale, ask, questions
from earlet_export.exact import as_trained, in_float64
from earlet_export.golden import golden_answers
from earlet_export.join import join
from earlet_export.ladder import Climber, Ladder, broken_features, climb
from earlet_export.material import Material, at_three_levels
from earlet_export.pack import bare_manifest, pack
from earlet_export.prove import Rung, broken_promises, check_finite, compare, error_rate
from earlet_export.quantize import nodes_of_modules, observe
from earlet_export.report import Report
from earlet_export.run import Runner
from earlet_export.seam import up_to_features
from earlet_export.sensitivity import Int8, settle
from earlet_export.speed import faster_precision, measure, one_thread
from earlet_export.trace import Traced, trace
from earlet_export.write import refuse_existing, write_bundle
from earlet_train.checkpoint import Checkpoint
from earlet_train.network import Network, numpy_logits
from earlet_train.recipe import Promises

Precision = Literal["auto", "fp32", "int8"]
Step = Callable[[str], None]

# Clips that rank the layers when int8 alone breaks its promise; each layer is run on all of them.
RANKING_CLIPS = 12


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written, and the evidence in it."""

    path: Path
    manifest: Manifest
    report: Report


def export_bundle(
    checkpoint: Checkpoint,
    material: Material,
    *,
    out: Path,
    data: str,
    precision: Precision = "auto",
    replace: bool = False,
    on_step: Step = lambda _: None,
) -> Exported:
    """Checkpoint and real recordings -> the bundle `out`, or nothing.

    `data` names the corpus in the report. `precision`: `fp32` leaves int8 out; `int8` makes it the
    default; `auto` makes it the default where it is faster here. Raises ParityError where a
    promise of the recipe is broken, UsageError where `out` cannot be written.
    """
    refuse_existing(out, replace=replace)
    with one_thread():
        manifest, files, report = _build(checkpoint, material, data, precision, on_step)
    on_step(f"writing and verifying {out}")
    write_bundle(out, files, replace=replace, check=_check)
    return Exported(path=out, manifest=manifest, report=report)


def _build(
    checkpoint: Checkpoint, material: Material, data: str, precision: Precision, on_step: Step
) -> tuple[Manifest, dict[str, bytes], Report]:
    """Everything but the writing."""
    recipe, origin = checkpoint.recipe, checkpoint.origin
    network = checkpoint.network()
    on_step("tracing the network into two graphs")
    traced = trace(network, window_samples=recipe.data.window_samples)
    waves = signals(window=recipe.data.window, sample_rate_hz=recipe.data.sample_rate_hz)
    asked = questions(waves, material.trials, window=recipe.data.window)
    scale = Scale(
        positive=recipe.positive,
        positive_index=recipe.positive_index,
        calibration=origin.calibration,
        threshold=origin.threshold,
        window=recipe.data.window,
    )
    on_step(f"asking the PyTorch original about {len(asked.trials)} dev recordings")
    original = ask(numpy_logits(network), asked)
    prover = _Prover(asked=asked, original=original, scale=scale, promises=recipe.promises)

    on_step("proving fp32")
    graphs = {"fp32": join(traced.frontend, traced.model)}
    rungs = {"fp32": prover.kept("fp32", graphs["fp32"])}
    int8: Int8 | None = None
    if precision != "fp32":
        on_step(f"quantizing with {len(material.calibration)} train recordings, proving int8")
        int8 = _settle(traced, material, prover, exclude=recipe.export.exclude)
        graphs["int8"] = join(traced.frontend, int8.model)
        rungs["int8"] = prover.kept("int8", graphs["int8"])

    on_step("timing the original and its graphs side by side")
    runs = {name: Runner.of(graph) for name, graph in graphs.items()}
    speeds = measure(network, runs, material.trials[0].windows[:1])
    answers = golden_answers(network, traced, waves)
    on_step("climbing the ladder from float64 down, at three depths")
    ladder = prover.ladder(network, graphs)
    report = Report(
        name=recipe.name,
        version=recipe.version,
        data=data,
        recordings=len(asked.trials),
        golden_signals=len(waves),
        original_eer=prover.original_eer,
        features=answers.features,
        ladder=ladder,
        rungs=rungs,
        promises=recipe.promises,
        calibration_clips=len(material.calibration),
        kept_float=int8.kept_float if int8 else (),
        ranking=int8.ranking if int8 else (),
        speeds=speeds,
        default_precision=faster_precision(speeds) if precision == "auto" else precision,
        versions=_versions(),
        machine=platform.machine(),
        left_out={one.trial.file: one.why for one in material.left_out},
    )
    if material.held_out is not None:
        on_step(f"scoring {len(material.held_out.trials)} recordings of the eval split")
        held_out = measure_accuracy(
            {"torch": numpy_logits(network), **runs},
            manifest=bare_manifest(checkpoint, report),
            labelled=material.held_out,
            reference="torch",
        )
        report = dataclasses.replace(report, held_out=held_out)
    manifest, files = pack(checkpoint, report, graphs=graphs, record=answers.record)
    return manifest, files, report


class _Prover:
    """Holds what every rung is compared with."""

    def __init__(
        self, *, asked: Questions, original: Answers, scale: Scale, promises: Promises
    ) -> None:
        self.asked, self.original, self.scale, self.promises = asked, original, scale, promises
        check_finite("the PyTorch original", original, asked)
        self.original_eer = error_rate(original.trials, trials=asked.trials, scale=scale)
        self.answers: dict[str, Answers] = {}

    def kept(self, precision: str, graph: onnx.ModelProto) -> Rung:
        """The rung of a graph that keeps its promises. Raises ParityError where it does not."""
        rung = self.rung(precision, graph)
        broken = self.broken(rung)
        if broken:
            raise ParityError(f"{'; '.join(broken)}. No bundle was written. {_REMEDY[precision]}")
        return rung

    def rung(self, precision: str, graph: onnx.ModelProto) -> Rung:
        """One graph against the original; `answers` keeps what the last one of its kind said."""
        answers = self.answers[precision] = ask(Runner.of(graph), self.asked)
        return compare(precision, answers, self.original, asked=self.asked, scale=self.scale)

    def ladder(self, network: Network, graphs: Mapping[str, onnx.ModelProto]) -> Ladder:
        """Every graph at every depth, under the original in float64. Raises ParityError."""
        found = climb(
            self.asked,
            torch=as_trained(network),
            float64=in_float64(network, next(iter(self.asked.golden.values()))),
            original=self.original,
            graphs={
                name: Climber(
                    features=Runner.of(up_to_features(graph, source=f"the {name} graph")),
                    answers=self.answers[name],
                )
                for name, graph in graphs.items()
            },
            scale=self.scale,
        )
        broken = broken_features(found, promises=self.promises)
        if broken:
            raise ParityError(f"{'; '.join(broken)}. No bundle was written. {_REMEDY['features']}")
        return found

    def broken(self, rung: Rung) -> tuple[str, ...]:
        """The promises that it breaks."""
        return broken_promises(rung, original_eer=self.original_eer.eer, promises=self.promises)


_REMEDY = {
    "features": "Look in the frontend for operations that lose digits, and in the graph for a "
    "frontend that was quantized, or change [promises] features_min_sqnr_db in the recipe.",
    "fp32": "Look in the frontend for operations that lose digits, or loosen [promises] "
    "fp32_max_abs_logit in the recipe and train again.",
    "int8": "Putting the worst layers back to float did not help while half of the work stayed "
    "int8. Export with --precision fp32, or change [promises] or [export] in the recipe.",
}


def _settle(
    traced: Traced, material: Material, prover: _Prover, *, exclude: tuple[str, ...]
) -> Int8:
    """The int8 model graph, calibrated through the fp32 frontend."""
    frontend = Runner.of(traced.frontend)
    clips = at_three_levels(material.calibration)
    ranges = observe(traced.model, (frontend(clip) for clip in clips))
    some = [frontend(window[None]) for window in material.calibration[:RANKING_CLIPS]]

    def holds(model: onnx.ModelProto) -> bool:
        return not prover.broken(prover.rung("int8", join(traced.frontend, model)))

    return settle(
        traced.model,
        ranges,
        np.concatenate(some),
        holds=holds,
        exclude=nodes_of_modules(traced.model, exclude),
    )


def _check(folder: Path) -> None:
    """The finished folder, as a stranger's runtime sees it. Raises BundleError, ParityError."""
    bundle = Bundle.open(folder)
    bundle.check_files()
    for precision in bundle.precisions:
        replayed = replay(bundle, precision)
        if not replayed.ok:
            raise ParityError(
                f"the written {precision} graph answers the golden signal "
                f"{replayed.worst_signal!r} {replayed.max_abs_logit:.3g} away from the original, "
                f"and {replayed.tolerance:.3g} is allowed. No bundle was written. This is a fault "
                "of earlet: please report it."
            )


def _versions() -> dict[str, str]:
    packages = ("earlet", "numpy", "onnx", "onnxruntime", "onnxscript", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
