"""One training run in its folder: start or go on, keep the best epoch, stop when it is time."""

import dataclasses
import math
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from earlet.bad_recordings import left_out as told
from earlet.errors import CorpusError, UsageError
from earlet.manifest import canonical_json
from earlet.protocol import Trial
from earlet_train.atomic import write_beside
from earlet_train.calibration import fit_calibration, operating_point
from earlet_train.checkpoint import BEST, LAST, Origin, save_checkpoint
from earlet_train.curve import draw_curve
from earlet_train.dataset import (
    Split,
    corpus_hash,
    label_indices,
    labels_dealt,
    labels_held,
    list_trials,
    read_splits,
    steps_per_epoch,
)
from earlet_train.distributed import Alone, joined
from earlet_train.loop import Trainer
from earlet_train.published import open_published
from earlet_train.recipe import Recipe
from earlet_train.record import RUN_FILE, Epoch, Run, write_run
from earlet_train.schedule import learning_rate

RESUME_FILE, CURVE_FILE = "resume.pt", "learning_curve.png"


class Watcher(Protocol):
    """Whoever looks on: a progress bar, a log, a test."""

    def reading(self) -> None:
        """One recording was read."""

    def left_out(self, words: str) -> None:
        """Which recordings cannot be used, and are left out as asked."""

    def began(self, epoch: int, *, steps: int) -> None:
        """An epoch (from 1) of so many batches begins."""

    def stepped(self, loss: float) -> None:
        """One batch is done."""

    def ended(self, row: Epoch, *, is_best: bool) -> None:
        """An epoch is done and safe on disk."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run, as opposed to what: only the first four should change the result.

    `clips`: train and judge on so many recordings only, for a quick look. `weights`: begin with
    those of a run folder or a released file (`earlet_train.start`) instead of fresh ones.
    `skip_bad`: leave out recordings that cannot be used, instead of refusing the corpus.
    (Another number of threads, or a GPU, adds up in another order: equal to rounding only.)
    """

    epochs: int | None = None
    clips: int | None = None
    weights: Path | None = None
    skip_bad: bool = False
    device: str = "auto"
    threads: int = 2
    resume: bool = False
    limit_minutes: float = math.inf
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)


def train_run(
    recipe: Recipe, *, corpus: Path, out: Path, options: Options, watcher: Watcher
) -> Run:
    """Train `recipe` on `corpus` into the run folder `out`; -> what run.json says at the end.

    Killed at any moment it loses at most the epoch at hand; with `resume` it goes on from there
    and ends in the same weights as a run that was never cut. Raises UsageError, CorpusError.
    """
    with joined(options.device) as processes:
        return train_among(
            processes, recipe, corpus=corpus, out=out, options=options, watcher=watcher
        )


def train_among(
    processes: Alone,
    recipe: Recipe,
    *,
    corpus: Path,
    out: Path,
    options: Options,
    watcher: Watcher,
) -> Run:
    """`train_run`, as one of the processes."""
    began = options.clock()
    torch.set_num_threads(options.threads)
    if options.epochs is not None:
        recipe = dataclasses.replace(
            recipe, training=dataclasses.replace(recipe.training, epochs=options.epochs)
        )
    if processes.rank == 0:
        refuse_overwriting(out, options)
    # Before the corpus, so that a recipe that cannot be built is refused at once.
    trainer = Trainer(recipe, processes=processes)
    taken = trainer.start_from(options.weights) if options.weights else ""
    with tempfile.TemporaryDirectory() as private:
        # The others may lie on other machines, where this folder is not.
        place = out if processes.rank == 0 else Path(private)
        train, dev, left_out = read_corpus(corpus, recipe, options, watcher, place=place)
    run = describe(recipe, trainer, train, dev, corpus=corpus, options=options)
    run = dataclasses.replace(run, weights=taken, left_out=left_out)
    if processes.rank == 0:
        out.mkdir(parents=True, exist_ok=True)
    if options.resume:
        run = resume(out, run, trainer)
    try:
        while not (
            # One clock decides for all.
            why := processes.first(
                partial(reason_to_stop, run, recipe, options.clock() - began, options)
            )
        ):
            run = one_epoch(run, trainer, train, dev, recipe=recipe, out=out, watcher=watcher)
        run = dataclasses.replace(run, stopped=why)
        if processes.rank == 0:
            write_run(out, run)
    finally:
        if run.history and processes.rank == 0:
            draw_curve(run, out / CURVE_FILE)
    return run


def read_corpus(
    corpus: Path, recipe: Recipe, options: Options, watcher: Watcher, *, place: Path
) -> tuple[Split, Split, dict[str, str]]:
    """Train and dev in memory, and what was left out of them: file -> why.

    A published dataset is read into the folder `place`. What lists alone can tell is refused before
    any recording is read.
    """
    left_out: dict[str, str] = {}
    if recipe.published is not None:
        opened = open_published(
            recipe.published,
            corpus,
            run=place,
            rate_hz=recipe.data.sample_rate_hz,
            skip_bad=options.skip_bad,
        )
        corpus, left_out = opened.folder, dict(opened.left_out)
        if left_out:
            watcher.left_out(opened.told)
    listed = {
        name: list_trials(corpus, name, recipe=recipe, clips=options.clips)
        for name in ("train", "dev")
    }
    refuse_absent_labels(listed, recipe=recipe)
    splits = read_splits(
        listed,
        corpus=corpus,
        recipe=recipe,
        skip_bad=options.skip_bad,
        on_progress=watcher.reading,
    )
    bad = [one for split in splits.values() for one in split.left_out]
    if bad:
        watcher.left_out(told(bad, of=sum(map(len, listed.values()))))
        # Leaving recordings out may leave a label out.
        refuse_absent_labels({name: own.trials for name, own in splits.items()}, recipe=recipe)
    left_out |= {one.trial.file: one.why for one in bad}
    return splits["train"], splits["dev"], left_out


def one_epoch(
    run: Run,
    trainer: Trainer,
    train: Split,
    dev: Split,
    *,
    recipe: Recipe,
    out: Path,
    watcher: Watcher,
) -> Run:
    """Train and judge once more, and put everything on disk; -> the run with one more row."""
    started, epoch = time.monotonic(), len(run.history)
    dev_losses, steps = [row.dev_loss for row in run.history], steps_per_epoch(train, recipe)
    watcher.began(epoch + 1, steps=steps)
    train_loss = trainer.epoch(train, epoch=epoch, on_step=watcher.stepped, dev_losses=dev_losses)
    judgement, is_positive = trainer.judge(dev), positives(dev, recipe)
    labels = label_indices(dev, recipe)
    row = Epoch(
        epoch=epoch + 1,
        train_loss=train_loss,
        dev_loss=judgement.loss(labels, is_positive),
        dev_eer=judgement.eer(is_positive),
        dev_accuracy=judgement.accuracy(labels),
        learning_rate=learning_rate(
            recipe.training, epoch=epoch, steps=steps, dev_losses=dev_losses
        ),
        seconds=round(time.monotonic() - started, 2),
    )
    # The first process's clock is the run's.
    row = trainer.processes.first(lambda: row)
    run = dataclasses.replace(run, history=(*run.history, row), stopped="")
    if trainer.processes.rank == 0:
        keep(run, trainer, judgement.raw, is_positive, recipe=recipe, out=out)
    watcher.ended(row, is_best=run.best is row)
    return run


def keep(
    run: Run,
    trainer: Trainer,
    raw: NDArray[np.float64],
    is_positive: NDArray[np.bool_],
    *,
    recipe: Recipe,
    out: Path,
) -> None:
    """Put the run's latest epoch, with its scores of dev, on disk: all that resuming needs."""
    row = run.history[-1]
    calibration = fit_calibration(raw, is_positive)
    threshold, point = operating_point(raw, is_positive, calibration, data=f"{run.corpus}, dev")
    origin = Origin(
        epoch=row.epoch,
        seed=recipe.seed,
        corpus=run.corpus,
        corpus_sha256=run.corpus_sha256,
        train_trials=run.train_trials,
        dev_trials=run.dev_trials,
        dev_eer=row.dev_eer,
        threshold=threshold,
        operating_point=point,
        calibration=calibration,
        versions=run.versions,
    )
    files = [LAST, BEST] if run.best is row else [LAST]
    for name in files:
        save_checkpoint(out / name, weights=trainer.weights, recipe=recipe, origin=origin)
    write_run(out, run)
    # Last, because it is what `resume` believes: a kill before here repeats the epoch, and the
    # repetition writes the same bytes.
    state = trainer.state() | {"run": canonical_json(dataclasses.asdict(run))}
    write_beside(out / RESUME_FILE, lambda file: torch.save(state, file))


def reason_to_stop(run: Run, recipe: Recipe, seconds: float, options: Options) -> str:
    """Why no further epoch should begin, or nothing."""
    done, patience = len(run.history), recipe.training.patience
    if done >= run.epochs_planned:
        return f"all {done} epochs done"
    if run.best is not None and patience and done - run.best.epoch >= patience:
        return f"{patience} epochs without a better dev {run.judged_by}"
    expected = run.history[-1].seconds if run.history else 0.0
    if seconds + expected > 60 * options.limit_minutes:
        return f"the limit of {options.limit_minutes:g} minutes"
    return ""


def resume(out: Path, run: Run, trainer: Trainer) -> Run:
    """Put the trainer where the run in `out` stopped; -> that run, or `run` where there is none.

    Only the first process looks at `out`: the others may lie on other machines. Raises UsageError.
    """

    def read() -> dict[str, Any] | None:
        # What a kill in the middle of writing left behind.
        for partial_file in out.glob(".*.partial"):
            partial_file.unlink()
        file = out / RESUME_FILE
        if not file.is_file():
            return None
        return dict(torch.load(file, map_location="cpu", weights_only=True))

    state = trainer.processes.first(read)
    if state is None:
        return run
    earlier = TypeAdapter(Run).validate_json(state["run"])
    different = earlier.cannot_continue(run)
    if different:
        raise UsageError(
            f"the run in {out} cannot go on: its {different} is not the one given now. Give what "
            "it was started with, or another --out."
        )
    trainer.restore(state)
    return dataclasses.replace(run, history=earlier.history)


def refuse_overwriting(out: Path, options: Options) -> None:
    """A run that is already there is never lost by mistake."""
    if (out / RUN_FILE).is_file() and not options.resume:
        raise UsageError(
            f"{out} already holds a run. Go on with it by --resume, or give another --out."
        )


def refuse_absent_labels(splits: Mapping[str, Sequence[Trial]], *, recipe: Recipe) -> None:
    """Nobody learns, or is judged by, what is not there. Raises CorpusError."""
    for name, trials in splits.items():
        held = {trial.key for trial in trials}
        absent = [label for label in recipe.labels if label not in held]
        if absent:
            raise CorpusError(
                f"split {name!r} has no recording labelled {', '.join(absent)} among its "
                f"{len(trials)}, and the recipe {recipe.name!r} has that label. Take it out of the "
                "recipe's labels, or give a corpus (or more --clips) that has it."
            )


def describe(
    recipe: Recipe, trainer: Trainer, train: Split, dev: Split, *, corpus: Path, options: Options
) -> Run:
    """A run that has not begun."""
    packages = ("earlet", "torch", "numpy")
    return Run(
        recipe=recipe.name,
        recipe_version=recipe.version,
        recipe_sha256=sha256(recipe.text.encode()).hexdigest(),
        seed=recipe.seed,
        corpus=corpus.resolve().name,
        corpus_sha256=corpus_hash(train, dev),
        train_trials=len(train),
        dev_trials=len(dev),
        parameters=sum(p.numel() for p in trainer.network.parameters()),
        epochs_planned=recipe.training.epochs,
        device=str(trainer.device),
        threads=options.threads,
        clips=options.clips,
        balance=recipe.training.balance,
        labels_held=labels_held(train, recipe),
        labels_dealt=labels_dealt(train, recipe),
        processes=trainer.processes.size,
        quantization_aware=recipe.training.fake_int8,
        versions={"python": platform.python_version()} | {p: version(p) for p in packages},
    )


def positives(split: Split, recipe: Recipe) -> NDArray[np.bool_]:
    """[R], True where the trial's label is the one that the detector is built to find."""
    return np.array([trial.key == recipe.positive for trial in split.trials])
