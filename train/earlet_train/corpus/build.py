"""Builds a whole corpus: fetch, prepare, plan, make every file, and last write what it holds."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import earlet
from earlet.errors import CorpusError, MissingExtra, UsageError
from earlet.protocol import SPLITS, missing_files, read_protocol
from earlet_train.corpus.engine import Engine
from earlet_train.corpus.inventory import Inventory, read_inventory, write_inventory
from earlet_train.corpus.journal import Journal
from earlet_train.corpus.make import Made, Workshop, audio_file, make_file
from earlet_train.corpus.packages import Store, default_cache, fetch
from earlet_train.corpus.plan import BONA_FIDE, Item, make_plan
from earlet_train.corpus.pool import worker_pool
from earlet_train.corpus.prepared import prepare_recordings
from earlet_train.corpus.sizes import SIZES, Size
from earlet_train.corpus.sources import SOURCES
from earlet_train.corpus.texts import deal_texts
from earlet_train.corpus.utterances import Utterance, to_utterances
from earlet_train.corpus.voices import all_recordings

OnStage = Callable[[str, int, int], None]  # what is being done, done, in all
MODULES = ("av", "pyworld", "parselmouth", "scipy", "soundfile")
# Files are never cut to more than this, nor to less: the channel takes the ends off.
LENGTHS_S = (2.2, 6.5)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be built, and where."""

    size: str
    out: Path
    seed: int
    jobs: int
    cache: Path | None = None


def build_corpus(order: Order, *, on_stage: OnStage | None = None) -> Inventory:
    """Build or finish building; a corpus that is complete is returned at once. Raises CorpusError.

    The files depend on size and seed alone, not on `jobs`, nor on how often it was interrupted.
    """
    report = on_stage or (lambda title, done, total: None)
    size = _size(order)
    finished = _finished(order)
    if finished is not None:
        return finished
    _check_modules()
    from earlet_train.corpus.engines import ENGINES
    from earlet_train.corpus.engines.programs import LIBRARIES

    cache = order.cache or default_cache()
    wanted = {name: engine for name, engine in ENGINES.items() if size.wants(name)}
    names = {*size.packages, *(p for engine in wanted.values() for p in engine.packages)}
    if any(engine.packages for engine in wanted.values()):
        names |= {library for library in LIBRARIES if library not in _OF_ONE_ENGINE}
    store = fetch(
        names,
        cache=cache,
        on_progress=lambda done, total, name: report("downloading (bytes)", done, total),
    )
    engines = {name: e for name, e in wanted.items() if store.has(e.packages)}
    utterances = _utterances(size, store, cache=cache, jobs=order.jobs, report=report)
    texts = deal_texts(
        [s for source in SOURCES.values() for s in source.sentences(store.folder)], utterances
    )
    plan = make_plan(
        size=size, seed=order.seed, utterances=utterances, texts=texts, engines=engines
    )
    needed = {name for name in names if name not in store.missing}
    made = _make_all(
        order, plan, utterances, store, fingerprint=_fingerprint(plan, needed), report=report
    )
    return write_inventory(
        order.out,
        size=size.name,
        seed=order.seed,
        version=earlet.__version__,
        made=made,
        packages=sorted(needed),
        engines=engines,
        left_out=_left_out(wanted, store, made),
    )


def _size(order: Order) -> Size:
    if order.size not in SIZES:
        raise UsageError(f"there is no size {order.size!r}; the sizes are {', '.join(SIZES)}.")
    if order.jobs < 1:
        raise UsageError(f"--jobs is {order.jobs}, expected at least 1.")
    return SIZES[order.size]


def _finished(order: Order) -> Inventory | None:
    inventory = read_inventory(order.out)
    if inventory is None:
        return None
    if (inventory.size, inventory.seed) != (order.size, order.seed):
        raise CorpusError(
            f"{order.out} holds the corpus of size {inventory.size} and seed {inventory.seed}, "
            f"asked was for {order.size} and {order.seed}: choose another folder or delete it."
        )
    # A file lost since is made again, bit by bit the same: the journal tells which ones are there.
    lost = any(missing_files(read_protocol(order.out, split)) for split in SPLITS)
    return None if lost else inventory


def _check_modules() -> None:
    for module in MODULES:
        if find_spec(module) is None:
            raise MissingExtra(module=module, extra="corpus")


def _utterances(
    size: Size, store: Store, *, cache: Path, jobs: int, report: OnStage
) -> list[Utterance]:
    recordings = all_recordings(store.folder, packages=size.packages)
    if not recordings:
        reasons = "; ".join(f"{name}: {why}" for name, why in sorted(store.missing.items())[:3])
        raise CorpusError(
            f"no package with recordings could be had ({reasons}). The pinned packages are those "
            "of Debian 12: run this on Debian 12 or in its container image, with a network."
        )
    prepared = prepare_recordings(
        recordings,
        cache=cache,
        jobs=jobs,
        on_progress=lambda done, total: report("reading recordings", done, total),
    )
    return to_utterances(prepared)


def _make_all(
    order: Order,
    plan: Sequence[Item],
    utterances: Sequence[Utterance],
    store: Store,
    *,
    fingerprint: str,
    report: OnStage,
) -> list[Made]:
    for split in {item.split for item in plan}:
        audio_file(order.out, split=split, file="x").parent.mkdir(parents=True, exist_ok=True)
    journal = Journal.open(order.out, fingerprint=fingerprint)
    items = {item.file: item for item in plan}
    done = {m.item.file: m for m in journal.read(items)}
    waiting = [item for item in plan if item.file not in done]
    # The slow systems first, so that no worker is left alone with them at the end.
    waiting.sort(key=lambda item: (item.system not in _SLOW, item.file))
    used = {a.utterance for item in waiting for a in item.attempts}
    by_name = {u.name: u for u in utterances}
    workshop = Workshop(
        out=order.out,
        store=store.folder,
        seed=order.seed,
        utterances={name: by_name[name] for name in used},
        lengths_s=_lengths_s(plan, by_name),
    )
    report("making files", len(done), len(plan))
    with journal, worker_pool(order.jobs, begin=partial(_open_workshop, workshop)) as pool:
        futures = [pool.submit(_work, item) for item in waiting]
        for future in as_completed(futures):
            made = future.result()
            journal.write(made)
            done[made.item.file] = made
            report("making files", len(done), len(plan))
    return [done[item.file] for item in plan]


# Libraries that are large and named by the engines that need them.
_OF_ONE_ENGINE = {"libespeak-ng1", "libestools2.5", "libflite1"}
_SLOW = {"A04", "A15"}
_workshop: Workshop | None = None


def _open_workshop(workshop: Workshop) -> None:
    global _workshop
    _workshop = workshop


def _work(item: Item) -> Made:
    from earlet_train.corpus.engines import ENGINES

    if _workshop is None:
        raise RuntimeError("the worker was not begun")
    return make_file(item, _workshop, ENGINES)


def _lengths_s(plan: Sequence[Item], utterances: Mapping[str, Utterance]) -> dict[str, list[float]]:
    """By split, the lengths of its bona fide utterances, between 2.2 and 6.5 s, in order."""
    lengths: dict[str, list[float]] = {}
    low_s, high_s = LENGTHS_S
    for item in plan:
        if item.system == BONA_FIDE:
            length_s = utterances[item.attempts[0].utterance].length_s
            lengths.setdefault(item.split, []).append(min(max(length_s, low_s), high_s))
    return {split: sorted(values) for split, values in lengths.items()}


def _fingerprint(plan: Sequence[Item], packages: set[str]) -> str:
    """Two runs with the same one may share their files."""
    from earlet_train.corpus.packages import PACKAGES

    told = [[asdict(item) for item in plan], sorted(PACKAGES[name].sha256 for name in packages)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _left_out(wanted: Mapping[str, Engine], store: Store, made: Sequence[Made]) -> dict[str, str]:
    """Systems, packages and files that are not there, each with its reason."""
    reasons = {f"package {name}": why for name, why in store.missing.items()}
    for name, engine in wanted.items():
        missing = [p for p in engine.packages if not store.has([p])]
        if missing:
            reasons[f"system {name}"] = f"needs {', '.join(missing)}"
    failed: dict[str, list[Made]] = {}
    for one in made:
        if one.row is None:
            failed.setdefault(one.item.system, []).append(one)
    for system, those in sorted(failed.items()):
        of = sum(one.item.system == system for one in made)
        name = "bona fide" if system == BONA_FIDE else system
        reasons[f"{len(those)} of {of} files of {name}"] = those[0].reason
    return reasons


def default_jobs() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0))
