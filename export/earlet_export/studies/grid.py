"""Trains and judges every variant of a study with every seed, and keeps each result on its own.

OUT/runs/VARIANT/seed-1/   run folder of the training: recipe inside, history, learning curve
OUT/runs/VARIANT/seed-1/answers.npz   scores of dev and eval
OUT/runs/VARIANT/seed-1/done.json     what is kept; with it the training is never run again
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from earlet.bad_recordings import Need
from earlet.errors import UsageError
from earlet.labelled import read_labelled
from earlet.manifest import canonical_json
from earlet.protocol import read_protocol
from earlet.trial import SPLITS
from earlet_bench.evaluation.binary import Settings
from earlet_bench.evaluation.evaluation import evaluate_subject
from earlet_bench.evaluation.subject import subjects
from earlet_export.studies.variant import Variant
from earlet_train.atomic import write_beside
from earlet_train.checkpoint import LAST
from earlet_train.run import RESUME_FILE, Options, Watcher, train_run

Floats = NDArray[np.float64]
DONE, ANSWERS = "done.json", "answers.npz"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What is kept of one finished training. `judged`: recordings of eval. Time in minutes.

    For two labels, on the scores' scale: `threshold`, chosen on dev, and `even_odds`, where the
    network itself holds both for equally likely (a calibrated score need not be 0 there). Its own
    log-odds are (score - `even_odds`) / `scale`.
    """

    variant: str
    seed: int
    recipe_sha256: str
    corpus: str
    corpus_sha256: str
    epochs: int
    best_epoch: int
    train_recordings: int
    dev_recordings: int
    judged: int
    parameters: int
    threshold: float
    minutes: float
    threads: int
    device: str
    even_odds: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A finished training and its scores: [N] with higher = spoof, of several labels [N, K]."""

    variant: Variant
    done: Done
    dev: Floats = field(repr=False)
    eval: Floats = field(repr=False)


def run_grid(
    variants: Sequence[Variant],
    *,
    out: Path,
    threads: int,
    deadline: Callable[[], bool],
    watcher: Callable[[Variant], Watcher],
    on_step: Callable[[str], None],
) -> Iterator[Answer]:
    """Yield every answer there is, first those kept from before, then new ones as they come.

    The first seed of all variants comes first, so that a study that is cut off is a whole table
    with fewer seeds. `deadline`: asked before each training; True: begin no more. Raises
    UsageError where `out` holds another study, CorpusError where eval cannot be heard.
    """
    wanted = in_order(variants)
    kept = {(v.name, seed): read_answer(out, v, seed) for v, seed in wanted}
    missing = [(v, seed) for v, seed in wanted if kept[v.name, seed] is None]
    yield from (answer for answer in kept.values() if answer is not None)
    if missing:
        refuse_unheard(variants)
    spent: list[float] = []
    for number, (variant, seed) in enumerate(missing):
        if deadline():
            on_step(f"time is up: {len(missing) - number} of {len(wanted)} trainings are left")
            return
        left = ""
        if spent:
            left = f", about {np.mean(spent) * (len(missing) - number):.0f} minutes left"
        on_step(
            f"training {len(wanted) - len(missing) + number + 1} of {len(wanted)}: "
            f"{variant.title}, {variant.set}, seed {seed}{left}"
        )
        answer = train_and_judge(variant, seed, out=out, threads=threads, watcher=watcher(variant))
        spent.append(answer.done.minutes)
        yield answer


def refuse_unheard(variants: Sequence[Variant]) -> None:
    """Decode every recording of eval, which no training hears. Raises CorpusError naming the bad.

    (A training looks at its own two splits before it begins.)
    """
    asked = []
    for variant in variants:
        data = variant.recipe.data
        need = Need.of(data.window, sample_rate_hz=data.sample_rate_hz)
        if (variant.corpus, need) not in asked:
            asked.append((variant.corpus, need))
            read_labelled(variant.corpus, limit=None, seed=0, split="eval").usable(need)


def in_order(variants: Sequence[Variant]) -> list[tuple[Variant, int]]:
    """Every training of a study: all first seeds, then all second ones."""
    rounds = range(max((len(v.seeds) for v in variants), default=0))
    return [(v, v.seeds[r]) for r in rounds for v in variants if r < len(v.seeds)]


def folder_of(out: Path, variant: Variant, seed: int) -> Path:
    """Where one training lies."""
    return out / "runs" / variant.name / f"seed-{seed}"


def is_done(out: Path, variant: Variant, seed: int) -> bool:
    """Whether this training was finished and kept."""
    return (folder_of(out, variant, seed) / DONE).is_file()


def read_answer(out: Path, variant: Variant, seed: int) -> Answer | None:
    """What was kept of a training; None where it is not done. Raises UsageError."""
    folder = folder_of(out, variant, seed)
    if not is_done(out, variant, seed):
        return None
    done = TypeAdapter(Done).validate_json((folder / DONE).read_text(encoding="utf-8"))
    now = (_hash(variant, seed), trials_hash(variant.corpus))
    if (done.recipe_sha256, done.corpus_sha256) != now:
        what = "corpus" if done.recipe_sha256 == now[0] else "recipe"
        raise UsageError(
            f"{folder} was trained with another {what} than the study would take now: it was begun "
            "with other options, or by another earlet. Give the options it was begun with, or "
            "another --out."
        )
    held = np.load(folder / ANSWERS)
    return Answer(variant=variant, done=done, dev=held["dev"], eval=held["eval"])


def train_and_judge(
    variant: Variant, seed: int, *, out: Path, threads: int, watcher: Watcher
) -> Answer:
    """Train (or go on), score dev and eval with the best epoch, and keep both."""
    began, folder = time.monotonic(), folder_of(out, variant, seed)
    recipe = variant.seeded(seed)
    options = Options(threads=threads, resume=True)
    run = train_run(recipe, corpus=variant.corpus, out=folder, options=options, watcher=watcher)
    assert run.best is not None
    (subject,) = subjects(str(folder), threads=threads)
    scores = {}
    for split in ("dev", "eval"):
        labelled = read_labelled(variant.corpus, limit=None, seed=0, split=split)
        judged = evaluate_subject(subject, labelled, settings=Settings(resamples=0))
        scores[split] = judged.scores
    sign = 1.0 if subject.positive == "spoof" else -1.0
    minutes = sum(row.seconds for row in run.history) / 60
    done = Done(
        variant=variant.name,
        seed=seed,
        recipe_sha256=_hash(variant, seed),
        corpus=run.corpus,
        corpus_sha256=trials_hash(variant.corpus),
        epochs=len(run.history),
        best_epoch=run.best.epoch,
        train_recordings=run.train_trials,
        dev_recordings=run.dev_trials,
        judged=len(scores["eval"]),
        parameters=run.parameters,
        threshold=sign * subject.threshold,
        minutes=max(minutes, (time.monotonic() - began) / 60),
        threads=threads,
        device=run.device,
        even_odds=sign * subject.calibration.offset,
        scale=subject.calibration.scale,
    )
    write_beside(folder / ANSWERS, lambda file: _save(file, scores))
    text = canonical_json(dataclasses.asdict(done))
    write_beside(folder / DONE, lambda file: file.write_text(text, encoding="utf-8"))
    for name in (RESUME_FILE, LAST):
        (folder / name).unlink(missing_ok=True)
    return Answer(variant=variant, done=done, dev=scores["dev"], eval=scores["eval"])


@cache
def trials_hash(corpus: Path) -> str:
    """sha256 of which recordings, with which labels, the three splits have."""
    digest = sha256()
    for split in SPLITS:
        for t in read_protocol(corpus, split):
            digest.update(f"{split} {t.file} {t.system} {t.key}\n".encode())
    return digest.hexdigest()


def _save(file: Path, scores: dict[str, Floats]) -> None:
    with file.open("wb") as stream:
        np.savez_compressed(stream, dev=scores["dev"], eval=scores["eval"])


def _hash(variant: Variant, seed: int) -> str:
    return sha256(variant.seeded(seed).text.encode()).hexdigest()
