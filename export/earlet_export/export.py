"""The whole way from a checkpoint to a bundle: trace, prove, quantize, prove, time, write."""

import dataclasses
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from earlet.accuracy import measure_accuracy
from earlet.errors import ParityError
from earlet.golden import signals
from earlet.manifest import Manifest
from earlet.write import check_written, refuse_existing, write_bundle
from earlet_export.answers import Answers, Questions, Scale, ask, questions
from earlet_export.exact import as_trained, in_float64
from earlet_export.fp16 import as_fp16
from earlet_export.frontier import exact, frontier
from earlet_export.frontier_picture import FRONTIER_PICTURE, frontier_png
from earlet_export.golden import golden_answers
from earlet_export.int8 import Proof, calibrated, make_int8
from earlet_export.join import join
from earlet_export.ladder import Climber, Ladder, broken_features, climb
from earlet_export.layer_noise import layer_noise
from earlet_export.lengths import Length, opened_from
from earlet_export.linter import Lint, lint
from earlet_export.material import Material
from earlet_export.operating_points import operating_points
from earlet_export.pack import bare_manifest, pack
from earlet_export.prove import Rung, broken_promises, check_finite, compare, error_rate
from earlet_export.prove_lengths import AtLength, kept_lengths
from earlet_export.report import Against, Report
from earlet_export.report_pictures import NOISE_WINDOWS, Scores, draw
from earlet_export.run import Runner
from earlet_export.seam import up_to_features
from earlet_export.search import Int8
from earlet_export.speed import faster_precision, measure, one_thread
from earlet_export.streaming.streams import make_streams
from earlet_export.streaming.twin import twin
from earlet_export.trace import Kept, trace
from earlet_train.checkpoint import Checkpoint
from earlet_train.network import Network, numpy_logits
from earlet_train.recipe import Promises, Stream

Precision = Literal["auto", "fp32", "int8"]
Step = Callable[[str], None]


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
    fp16: bool = False,
    against: Checkpoint | None = None,
    frontend: Kept = "compact",
    length: Length = "window",
    stream: Stream | None = None,
    pictures: bool = True,
    replace: bool = False,
    on_step: Step = lambda _: None,
) -> Exported:
    """Checkpoint and real recordings -> the bundle `out`, or nothing.

    `data` names the corpus in the report. `precision`: `fp32` leaves int8 out; `int8` makes it the
    default; `auto` makes it the default where it is faster here. `fp16` adds a third, smaller
    graph. `against`: the run that this one was fine-tuned from, whose EER int8 may not raise.
    `frontend`: its tables as recipes or, for other engines than ONNX Runtime, as numbers.
    `length`: graphs that take one window, or any length from the shortest on that the recipe allows
    and the network takes. `stream`: `exact` adds graphs that take sound chunk by chunk, `window`
    leaves them out; None: as the recipe says. `pictures`: whether the report's pictures are drawn
    and written too.
    Raises ParityError where a promise of the recipe is broken, UsageError where `out` cannot be
    written.
    """
    refuse_existing(out, replace=replace)
    with one_thread():
        manifest, files, report = _build(
            checkpoint,
            material,
            data=data,
            precision=precision,
            fp16=fp16,
            against=against,
            frontend=frontend,
            length=length,
            stream=stream or checkpoint.recipe.export.stream,
            pictures=pictures,
            on_step=on_step,
        )
    on_step(f"writing and verifying {out}")
    write_bundle(out, files, replace=replace, check=check_written)
    return Exported(path=out, manifest=manifest, report=report)


def _build(
    checkpoint: Checkpoint,
    material: Material,
    *,
    data: str,
    precision: Precision,
    fp16: bool,
    against: Checkpoint | None,
    frontend: Kept,
    length: Length,
    stream: Stream,
    pictures: bool,
    on_step: Step,
) -> tuple[Manifest, dict[str, bytes], Report]:
    """Everything but the writing."""
    recipe, origin = checkpoint.recipe, checkpoint.origin
    network = checkpoint.network()
    on_step("tracing the network into two graphs")
    traced = trace(
        network,
        window_samples=recipe.data.window_samples,
        kept=frontend,
        open_from_samples=opened_from(network, recipe, length=length, stream=stream),
        streams=stream == "exact",
    )
    # A network that cannot stream is refused here, before the long work.
    streaming = (
        twin(network, traced, sample_rate_hz=recipe.data.sample_rate_hz, kept=frontend)
        if stream == "exact"
        else None
    )
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
    before = _against(against, asked, scale) if against else None
    prover = _Prover(
        asked=asked, original=original, scale=scale, promises=recipe.promises, against=before
    )

    on_step("proving fp32")
    graphs = {"fp32": join(traced.frontend, traced.model)}
    rungs = {"fp32": prover.kept("fp32", graphs["fp32"])}
    int8: Int8 | None = None
    if precision != "fp32":
        on_step(f"quantizing with {len(material.calibration)} train recordings, proving int8")
        int8 = make_int8(traced, material, prover.of_int8(), wanted=recipe.export, on_step=on_step)
        graphs["int8"] = join(traced.frontend, int8.model)
        rungs["int8"] = prover.kept("int8", graphs["int8"])
    if fp16:
        on_step("proving fp16")
        graphs["fp16"] = as_fp16(graphs["fp32"])
        rungs["fp16"] = prover.kept("fp16", graphs["fp16"])

    lengths: tuple[AtLength, ...] = ()
    if traced.open_from_samples is not None:
        on_step("proving other lengths than one window")
        lengths = kept_lengths(
            network, graphs, recipe=recipe, trials=asked.trials, least=traced.open_from_samples
        )
    runs = {name: Runner.of(graph) for name, graph in graphs.items()}
    streams = None
    if streaming is not None:
        streams = make_streams(
            streaming,
            {"fp32": traced.model} | ({"int8": int8.annotated()} if int8 else {}),
            runs,
            material,
            scale=scale,
            sample_rate_hz=recipe.data.sample_rate_hz,
            promised=recipe.promises.stream_max_abs_logit,
            on_step=on_step,
        )
    on_step("timing the original and its graphs side by side")
    speeds = measure(network, runs, material.trials[0].windows[:1])
    answers = golden_answers(network, traced, waves)
    on_step("climbing the ladder from float64 down, at three depths")
    ladder = prover.ladder(network, graphs)
    on_step("looking for what runs slowly")
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
        frontier=frontier(
            exact(rungs["fp32"]),
            int8,
            original_eer=prover.promised_from,
            sizes_bytes={name: graph.ByteSize() for name, graph in graphs.items()},
            speeds=speeds,
        ),
        calibration=calibrated(int8, material) if int8 else None,
        against=before,
        versions=_versions(),
        machine=platform.machine(),
        left_out={one.trial.file: one.why for one in material.left_out},
        lints=_lints(graphs, samples=recipe.data.window_samples),
        lengths=lengths,
        streams=None if streams is None else streams.found,
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
    scores = prover.scores(f"{len(asked.trials)} dev recordings of {data}")
    drawn: dict[str, bytes] = {}
    if pictures:
        on_step("drawing the report's pictures")
        windows = [trial.windows[:1] for trial in material.trials[:NOISE_WINDOWS]]
        heard = [Runner.of(traced.frontend)(window) for window in windows]
        noise = layer_noise(traced.model, int8.model, heard) if int8 else ()
        drawn = draw(scores, noise)
        if int8:
            drawn[FRONTIER_PICTURE] = frontier_png(report.frontier)
    manifest, files = pack(
        checkpoint,
        report,
        graphs=graphs,
        streams=streams,
        record=answers.record,
        pictures=drawn,
        points=operating_points(scores, rung=report.default_precision),
    )
    return manifest, files, report


def _lints(graphs: Mapping[str, onnx.ModelProto], *, samples: int) -> dict[str, Lint]:
    """What runs slowly in each graph, on one window. fp16 is for its size alone."""
    return {
        name: lint(graph.SerializeToString(), samples=samples)
        for name, graph in graphs.items()
        if name != "fp16"
    }


class _Prover:
    """Holds what every rung is compared with."""

    def __init__(
        self,
        *,
        asked: Questions,
        original: Answers,
        scale: Scale,
        promises: Promises,
        against: Against | None,
    ) -> None:
        self.asked, self.original, self.scale, self.promises = asked, original, scale, promises
        check_finite("the PyTorch original", original, asked)
        self.original_eer = error_rate(original.trials, trials=asked.trials, scale=scale)
        self.promised_from = (against.eer if against else self.original_eer).eer
        self.answers: dict[str, Answers] = {}

    def scores(self, data: str) -> Scores:
        """What the original and every graph said to the recordings, which `data` names."""
        said = {"torch": self.original, **self.answers}
        return Scores(
            by_rung={name: self.scale.trial_scores(one.trials) for name, one in said.items()},
            is_positive=np.array([t.trial.key == self.scale.positive for t in self.asked.trials]),
            positive=self.scale.positive,
            threshold=self.scale.threshold,
            data=data,
            groups=tuple(trial.group for trial in self.asked.trials),
        )

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

    def of_int8(self) -> Proof:
        """What every candidate for int8 is held against."""
        return Proof(
            asked=self.asked,
            original=self.original,
            scale=self.scale,
            original_eer=self.promised_from,
            rung=partial(self.rung, "int8"),
            broken=self.broken,
        )

    def broken(self, rung: Rung) -> tuple[str, ...]:
        """The promises that it breaks."""
        return broken_promises(rung, original_eer=self.promised_from, promises=self.promises)


_REMEDY = {
    "features": "Look in the frontend for operations that lose digits, and in the graph for a "
    "frontend that was quantized, or change [promises] features_min_sqnr_db in the recipe.",
    "fp32": "Look in the frontend for operations that lose digits, or loosen [promises] "
    "fp32_max_abs_logit in the recipe and train again.",
    "int8": "Neither other ways of calibrating nor the worst layers in float helped while half of "
    "the work stayed int8. Train on with int8 in mind (earlet train RECIPE --weights RUN "
    "--quantization-aware), export with --precision fp32, or change [promises] or [export] in the "
    "recipe.",
    "fp16": "Export without --fp16: these weights need 32 bits.",
}


def _against(checkpoint: Checkpoint, asked: Questions, scale: Scale) -> Against:
    """What the run that this one was fine-tuned from says of the same recordings."""
    logits = numpy_logits(checkpoint.network())
    trials = [
        np.concatenate([logits(window[None]) for window in heard.windows]) for heard in asked.trials
    ]
    return Against(
        checkpoint_sha256=checkpoint.sha256,
        eer=error_rate(trials, trials=asked.trials, scale=scale),
    )


def _versions() -> dict[str, str]:
    packages = ("earlet", "numpy", "onnx", "onnxruntime", "onnxscript", "torch")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
