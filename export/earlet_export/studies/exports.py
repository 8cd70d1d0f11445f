"""The study `exports`: does every trained detector survive its export, and what does it gain?

One row per run folder, made by the same stages as `earlet export` and kept on its own: the same
command goes on after a break. Nothing is written but the row; a row whose promise is broken says
so and stays, which is what a table is for. A run that was fine-tuned for int8 is held against the
run it came from.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError, ParityError, UsageError
from earlet.golden import signals
from earlet.metrics import equal_error_rate
from earlet.protocol import read_protocol
from earlet_bench.evaluation.intervals import estimate
from earlet_export.answers import Answers, Scale, ask, questions
from earlet_export.corpus import find_corpus
from earlet_export.int8 import Proof, make_int8
from earlet_export.join import join
from earlet_export.material import Material, gather
from earlet_export.prove import Rung, broken_promises, check_finite, compare, error_rate
from earlet_export.quantize import layers
from earlet_export.run import Runner
from earlet_export.speed import ROUNDS, measure, one_thread, side_by_side
from earlet_export.studies.exports_rows import ExportRow, keep, kept
from earlet_export.trace import trace
from earlet_train.checkpoint import BEST, Checkpoint, load_checkpoint
from earlet_train.network import numpy_logits
from earlet_train.recipe import Promises
from earlet_train.record import RUN_FILE

Floats = NDArray[np.float64]
# What this study asks of int8, whatever the recipe promises: at most so much more EER.
MOST_EER_INCREASE = 0.003
# Fixed, so that equal scores give equal intervals.
_INTERVAL_SEED = 21


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A run that has no row, and why."""

    run: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How many recordings calibrate and prove; None: as many as the recipe says."""

    proof_clips: int = 400
    calibration_clips: int | None = None


def find_runs(folder: Path) -> list[Path]:
    """Every run folder at or below `folder`, in order of their paths."""
    return sorted(file.parent for file in folder.rglob(BEST))


def study_exports(
    runs: Sequence[Path],
    *,
    root: Path,
    corpora: Sequence[Path],
    out: Path,
    effort: Effort,
    on_step: Callable[[str], None],
    on_row: Callable[[list[ExportRow | Failed]], None],
) -> list[ExportRow | Failed]:
    """One row per run, kept in `out`; `on_row` hears all rows so far after each of them.

    A run whose recordings are not found, or whose fp32 graph breaks, becomes a `Failed`, and the
    next one follows.
    """
    rows: list[ExportRow | Failed] = []
    for run in runs:
        name = name_of(run, root)
        checkpoint = load_checkpoint(run)
        row = kept(out, name, checkpoint)
        if row is None:
            on_step(f"{name}: reading recordings")
            try:
                corpus = _corpus(checkpoint, run, corpora)
                material = _material(checkpoint, corpus, effort)
                first = tuned_from(run, runs)
                row = export_row(
                    name,
                    checkpoint,
                    material,
                    corpus=corpus,
                    before=None
                    if first is None
                    else (name_of(first, root), load_checkpoint(first)),
                    on_step=on_step,
                )
            except (CorpusError, ParityError, UsageError) as error:
                rows.append(Failed(run=name, why=str(error)))
                on_row(rows)
                continue
            keep(out, row)
        rows.append(row)
        on_row(rows)
    return rows


def export_row(
    name: str,
    checkpoint: Checkpoint,
    material: Material,
    *,
    corpus: Path,
    before: tuple[str, Checkpoint] | None = None,
    on_step: Callable[[str], None],
) -> ExportRow:
    """Trace, prove fp32, search int8, time: everything of an export but the writing.

    `before`: name and weights of the run that this one was fine-tuned from, whose EER int8 may not
    raise. Raises ParityError where the fp32 graph breaks its promise, or anything is not finite.
    """
    recipe, origin = checkpoint.recipe, checkpoint.origin
    promises = dataclasses.replace(recipe.promises, int8_max_eer_increase=MOST_EER_INCREASE)
    with one_thread():
        network = checkpoint.network()
        on_step(f"{name}: tracing, asking PyTorch about {len(material.trials)} recordings")
        traced = trace(
            network,
            window_samples=recipe.data.window_samples,
            streams=recipe.export.stream == "exact",
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
        original = ask(numpy_logits(network), asked)
        check_finite("the PyTorch original", original, asked)
        first = original if before is None else ask(numpy_logits(before[1].network()), asked)
        eer = error_rate(first.trials, trials=asked.trials, scale=scale).eer
        judge = _Judge(promises, eer)
        graphs = {"fp32": join(traced.frontend, traced.model)}
        on_step(f"{name}: proving fp32")
        answers = ask(Runner.of(graphs["fp32"]), asked)
        fp32 = compare("fp32", answers, original, asked=asked, scale=scale)
        if judge.broken(fp32):
            raise ParityError("; ".join(judge.broken(fp32)))
        on_step(f"{name}: int8")
        proof = Proof(
            asked=asked,
            original=original,
            scale=scale,
            original_eer=eer,
            rung=lambda graph: compare(
                "int8", ask(Runner.of(graph), asked), original, asked=asked, scale=scale
            ),
            broken=judge.broken,
        )
        int8 = make_int8(
            traced,
            material,
            proof,
            wanted=recipe.export,
            on_step=lambda words: on_step(f"{name}: {words}"),
        )
        graphs["int8"] = join(traced.frontend, int8.model)
        moved = ask(Runner.of(graphs["int8"]), asked)
        on_step(f"{name}: timing")
        window = material.trials[0].windows[:1]
        runs = {kind: Runner.of(graph) for kind, graph in graphs.items()}
        speeds = {one.candidate: one.ratio_to_fp32 for one in measure(network, runs, window)}
        alone = side_by_side(
            {"fp32": Runner.of(traced.model), "int8": Runner.of(int8.model)},
            Runner.of(traced.frontend)(window),
            rounds=ROUNDS,
        )
    change = eer_change(first, moved, material=material, scale=scale)
    theirs, ours = (scale.trial_scores(found.trials) for found in (original, moved))
    return ExportRow(
        run=name,
        recipe=recipe.name,
        checkpoint_sha256=checkpoint.sha256,
        corpus=corpus.resolve().name,
        epochs=origin.epoch,
        recordings=origin.train_trials,
        tuned_from=before[0] if before else "",
        decisions=len(asked.trials),
        original_eer=eer,
        fp32_max_abs_logit=fp32.max_abs_logit,
        int8_max_abs_logit=int8.chosen.judged.max_abs_logit,
        flips=int8.chosen.judged.flips,
        eer_change=change[0],
        low=change[1],
        high=change[2],
        margin=float(np.median(np.abs(theirs - scale.threshold))),
        moved=float(np.abs(ours - theirs).mean()),
        graph=int8.chosen.name,
        in_float=len({*int8.kept_float} & {*layers(traced.model)}),
        tried=len(int8.tried),
        fp32_bytes=graphs["fp32"].ByteSize(),
        int8_bytes=graphs["int8"].ByteSize(),
        int8_to_fp32=speeds["int8"],
        model_int8_to_fp32=alone["int8"].ratio_to_fp32,
        fp32_to_torch=1 / speeds["torch"],
        why=int8.chosen.judged.broken,
    )


def eer_change(
    original: Answers, moved: Answers, *, material: Material, scale: Scale
) -> tuple[float, float, float]:
    """Two sets of answers -> by how much the EER rises, with its 95 % interval.

    In pairs: every resample of voices and machines gives both their rates, so what is hard about
    its recordings is hard for both and cancels.
    """
    before, after = (scale.trial_scores(found.trials) for found in (original, moved))
    is_positive = np.array([heard.trial.key == scale.positive for heard in material.trials])

    def rise(weights: Floats) -> float:
        times = weights.astype(np.int64)
        labels = np.repeat(is_positive, times)
        return (
            equal_error_rate(np.repeat(after, times), labels).eer
            - equal_error_rate(np.repeat(before, times), labels).eer
        )

    found = estimate(
        rise,
        groups=[heard.group for heard in material.trials],
        classes=[str(positive) for positive in is_positive],
        rng=np.random.default_rng(_INTERVAL_SEED),
    )
    assert found.low is not None
    assert found.high is not None
    return found.value, found.low, found.high


class _Judge:
    """Whether a rung keeps the promises of this study."""

    def __init__(self, promises: Promises, original_eer: float) -> None:
        self.promises, self.original_eer = promises, original_eer

    def broken(self, rung: Rung) -> tuple[str, ...]:
        return broken_promises(rung, original_eer=self.original_eer, promises=self.promises)


def _corpus(checkpoint: Checkpoint, run: Path, corpora: Sequence[Path]) -> Path:
    """The first corpus given that knows only the labels of this run, else the run's own."""
    labels = set(checkpoint.recipe.labels)
    for corpus in corpora:
        if {trial.key for trial in read_protocol(corpus, "dev")} == labels:
            return corpus
    return find_corpus(checkpoint.origin.corpus, run=run)


def _material(checkpoint: Checkpoint, corpus: Path, effort: Effort) -> Material:
    recipe = checkpoint.recipe
    return gather(
        corpus,
        positive=recipe.positive,
        window=recipe.data.window,
        sample_rate_hz=recipe.data.sample_rate_hz,
        calibration_clips=effort.calibration_clips or recipe.export.calibration_clips,
        proof_clips=effort.proof_clips,
        held_out_clips=0,
        rng=np.random.default_rng(recipe.seed),
    )


def tuned_from(run: Path, runs: Sequence[Path]) -> Path | None:
    """The run that `run` was fine-tuned from for int8; None where it was trained afresh.

    Raises UsageError where that run is not among `runs`.
    """
    record = run / RUN_FILE
    said = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    if not said.get("quantization_aware"):
        return None
    sha256 = said["weights"].rpartition("sha256:")[2]
    for other in runs:
        if hashlib.sha256((other / BEST).read_bytes()).hexdigest() == sha256:
            return other
    raise UsageError(
        f"it was fine-tuned from the weights {said['weights']}, and no run beside it has them. Put "
        "that run into the folder too, so that int8 can be held against it."
    )


def name_of(run: Path, root: Path) -> str:
    """`spec-resnet/run` below the root -> `spec-resnet`; the root itself by its own name."""
    parts = [part for part in run.relative_to(root).parts if part != "run"]
    return "/".join(parts) or root.resolve().name
