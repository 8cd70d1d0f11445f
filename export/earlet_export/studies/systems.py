"""The study `systems`: every recipe is described, trained for a moment, exported and measured.

It shows that each system of earlet walks the whole road on real speech. It says nothing about how
good they get: an epoch or two on a few hundred recordings is no training.
"""

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter

from earlet.errors import UsageError
from earlet.manifest import canonical_json
from earlet_export.describe import describe
from earlet_export.export import export_bundle
from earlet_export.material import Material, gather
from earlet_train.atomic import write_beside
from earlet_train.checkpoint import load_checkpoint
from earlet_train.dataset import load_split
from earlet_train.overfit import overfit
from earlet_train.recipe import Recipe
from earlet_train.run import Options, Watcher, train_run

ROW_FILE = "row.json"
# Adam's usual step, for recipes whose own is made for a hundred epochs.
BY_HEART_RATE = 1e-3
# So short a training leaves every score near the threshold, where any rounding changes decisions:
# here int8 is measured and not judged. fp32 keeps the recipe's own promise.
_UNJUDGED = {"int8_max_flip_rate": 1.0, "int8_max_eer_increase": 1.0}


@dataclass(frozen=True, kw_only=True)
class SystemRow:
    """What came of one recipe. Rates in 0..1, sizes in bytes, `macs` per window.

    `overfit_steps`: training steps until no clip of 32 was judged wrongly; None: never, within
    the steps that were allowed. They took `overfit_batch` clips each; 0: the recipe's batch.
    `recipe_sha256`: of the recipe's text; empty in rows of before it was kept.
    """

    recipe: str
    description: str
    window_s: float
    features: tuple[int, ...]
    parameters: int
    macs: int
    int8_share: float
    streams: bool
    epochs: int
    recordings: int
    seconds_per_epoch: float
    dev_eer: float
    overfit_steps: int | None
    fp32_max_abs_logit: float
    int8_max_abs_logit: float
    int8_flips: int
    decisions: int
    fp32_ms: float
    int8_ms: float
    fp32_bytes: int
    int8_bytes: int
    overfit_batch: int = 0
    recipe_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much to spend on each recipe."""

    clips: int = 96
    epochs: int = 2
    proof_clips: int = 40
    calibration_clips: int = 24
    overfit_steps: int = 400
    overfit_batch: int | None = None


def kept_row(recipe: Recipe, out: Path) -> SystemRow | None:
    """The row that `out` holds of this recipe. Raises UsageError on one of its older text."""
    file = out / recipe.name / ROW_FILE
    if not file.is_file():
        return None
    row = TypeAdapter(SystemRow).validate_json(file.read_text(encoding="utf-8"))
    if row.recipe_sha256 not in ("", _sha256(recipe)):
        raise UsageError(
            f"{file} was measured with another text of the recipe {recipe.name}. Remove "
            f"{file.parent} to measure it anew, or give another --out."
        )
    return row


def study_system(
    recipe: Recipe,
    *,
    corpus: Path,
    out: Path,
    effort: Effort,
    threads: int,
    watcher: Watcher,
    on_step: Callable[[str], None],
) -> SystemRow:
    """One recipe -> its row, which `out` keeps: it is not measured twice.

    Raises what `kept_row` raises, and whatever stage failed raises: RecipeError, CorpusError,
    ParityError.
    """
    kept = kept_row(recipe, out)
    if kept is not None:
        return kept
    folder = out / recipe.name
    torch.set_num_threads(threads)
    on_step(f"{recipe.name}: building, tracing")
    described = describe(recipe)
    on_step(f"{recipe.name}: learning 32 clips by heart")
    few = load_split(corpus, "train", recipe=recipe, clips=32)
    looks = overfit(
        recipe,
        few,
        steps=effort.overfit_steps,
        device=torch.device("cpu"),
        learning_rate=None if recipe.training.optimizer == "sgd" else BY_HEART_RATE,
        batch_size=effort.overfit_batch,
    )
    on_step(f"{recipe.name}: training for {effort.epochs} epochs")
    options = Options(epochs=effort.epochs, threads=threads, clips=effort.clips, resume=True)
    run = train_run(recipe, corpus=corpus, out=folder / "run", options=options, watcher=watcher)
    checkpoint = load_checkpoint(folder / "run")
    promises = dataclasses.replace(recipe.promises, **_UNJUDGED)
    checkpoint = dataclasses.replace(
        checkpoint, recipe=dataclasses.replace(checkpoint.recipe, promises=promises)
    )
    exported = export_bundle(
        checkpoint,
        _material(recipe, corpus, effort),
        out=folder / "bundle",
        data=corpus.resolve().name,
        replace=True,
        on_step=lambda words: on_step(f"{recipe.name}: {words}"),
    )
    assert described.exports is not None
    assert run.best is not None
    rungs = exported.report.rungs
    speeds = {speed.candidate: speed.p50_ms for speed in exported.report.speeds}
    sizes = {precision: g.size_bytes for precision, g in exported.manifest.graphs.items()}
    row = SystemRow(
        recipe=recipe.name,
        description=recipe.description,
        window_s=described.window_s,
        features=described.seam,
        parameters=described.parameters,
        macs=described.macs,
        int8_share=described.exports.int8_macs / described.macs,
        streams=described.streams,
        epochs=len(run.history),
        recordings=run.train_trials,
        seconds_per_epoch=float(np.mean([row.seconds for row in run.history])),
        dev_eer=run.best.dev_eer,
        overfit_steps=looks[-1].steps if looks[-1].error_rate == 0 else None,
        fp32_max_abs_logit=rungs["fp32"].max_abs_logit,
        int8_max_abs_logit=rungs["int8"].max_abs_logit,
        int8_flips=rungs["int8"].flips,
        decisions=rungs["int8"].decisions,
        fp32_ms=speeds["fp32"],
        int8_ms=speeds["int8"],
        fp32_bytes=sizes["fp32"],
        int8_bytes=sizes["int8"],
        overfit_batch=effort.overfit_batch or 0,
        recipe_sha256=_sha256(recipe),
    )
    shutil.rmtree(folder / "bundle")
    text = canonical_json(dataclasses.asdict(row))
    write_beside(folder / ROW_FILE, lambda file: file.write_text(text, encoding="utf-8"))
    return row


def _sha256(recipe: Recipe) -> str:
    return hashlib.sha256(recipe.text.encode()).hexdigest()


def _material(recipe: Recipe, corpus: Path, effort: Effort) -> Material:
    """A few recordings to calibrate by and to prove on; eval is left alone."""
    return gather(
        corpus,
        positive=recipe.positive,
        window=recipe.data.window,
        sample_rate_hz=recipe.data.sample_rate_hz,
        calibration_clips=effort.calibration_clips,
        proof_clips=effort.proof_clips,
        held_out_clips=0,
        rng=np.random.default_rng(recipe.seed),
    )
