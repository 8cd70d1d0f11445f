"""Reads a corpus into memory and deals it out in batches, the same way again for the same seed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.bad_recordings import Bad, Need, hear, refuse, without
from earlet.errors import CorpusError
from earlet.manifest import WindowPolicy
from earlet.protocol import Trial, read_protocol
from earlet.windows import Waveform, fit
from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.balance import deal, dealt_counts
from earlet_train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Split:
    """One split in memory, as int16: an hour at 16 kHz takes 115 MB.

    `left_out`: trials that cannot be used and are not among the others.
    """

    trials: Sequence[Trial]
    samples: Sequence[NDArray[np.int16]] = field(repr=False)
    left_out: Sequence[Bad] = ()

    def __len__(self) -> int:
        return len(self.trials)

    def waveform(self, index: int) -> Waveform:
        """One recording [T], float32 in [-1, 1)."""
        return self.samples[index].astype(np.float32) / np.float32(32768)

    @property
    def is_spoof(self) -> NDArray[np.bool_]:
        """[R], True where a machine spoke."""
        return np.array([trial.is_spoof for trial in self.trials])


def load_split(
    corpus: Path,
    split: str,
    *,
    recipe: Recipe,
    clips: int | None = None,
    skip_bad: bool = False,
    on_progress: Callable[[], None] = lambda: None,
) -> Split:
    """One split of a corpus: `list_trials`, then `read_splits`. Raises CorpusError."""
    listed = {split: list_trials(corpus, split, recipe=recipe, clips=clips)}
    return read_splits(
        listed, corpus=corpus, recipe=recipe, skip_bad=skip_bad, on_progress=on_progress
    )[split]


def list_trials(
    corpus: Path, split: str, *, recipe: Recipe, clips: int | None = None
) -> list[Trial]:
    """The trials of one split, labels checked and nothing read yet. Raises CorpusError.

    `clips`: only so many of them, spread `evenly`.
    """
    trials = read_protocol(corpus, split)
    unknown = sorted({trial.key for trial in trials} - set(recipe.labels))
    if unknown:
        raise CorpusError(
            f"split {split!r} of {corpus} has recordings labelled {unknown[0]!r}, and the recipe "
            f"{recipe.name!r} knows only {', '.join(recipe.labels)}."
        )
    return trials if clips is None else evenly(trials, clips, seed=recipe.seed)


def read_splits(
    listed: Mapping[str, Sequence[Trial]],
    *,
    corpus: Path,
    recipe: Recipe,
    skip_bad: bool = False,
    on_progress: Callable[[], None] = lambda: None,
) -> dict[str, Split]:
    """Split -> its trials -> those that can be used, in memory.

    Raises one CorpusError that names what cannot be used in any of them; `skip_bad`: leaves that
    out instead. `on_progress` hears of each recording.
    """
    need = Need.of(recipe.data.window, sample_rate_hz=recipe.data.sample_rate_hz)

    def read(trial: Trial) -> NDArray[np.int16] | Bad:
        heard = hear(trial, need)
        on_progress()
        if isinstance(heard, Bad):
            return heard
        return np.clip(np.rint(heard * 32768), -32768, 32767).astype(np.int16)

    splits = {}
    # Decoding happens in C with the interpreter's lock released.
    with ThreadPoolExecutor(max_workers=2) as readers:
        for name, trials in listed.items():
            heard = list(readers.map(read, trials))
            bad = [one for one in heard if isinstance(one, Bad)]
            splits[name] = Split(
                trials=without(trials, bad),
                samples=[one for one in heard if not isinstance(one, Bad)],
                left_out=bad,
            )
    if not skip_bad:
        everything = [one for split in splits.values() for one in split.left_out]
        refuse(everything, of=sum(map(len, listed.values())), corpus=corpus)
    return splits


def corpus_hash(*splits: Split) -> str:
    """sha256 over the protocol rows of these splits: which trials, not which bytes of audio."""
    digest = sha256()
    for split in splits:
        for t in split.trials:
            digest.update(f"{t.speaker} {t.file} {t.system} {t.key}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def evenly(trials: Sequence[Trial], clips: int, *, seed: int) -> list[Trial]:
    """At most so many trials, as even over labels, and within a label over systems, as they come.

    In the order of the protocol; the same ones again for the same seed.
    """
    rng = np.random.default_rng(seed)
    systems: dict[str, dict[str, list[int]]] = {}
    for index in rng.permutation(len(trials)):
        trial = trials[index]
        systems.setdefault(trial.key, {}).setdefault(trial.system, []).append(int(index))
    labels = [in_turn([own[s] for s in sorted(own)]) for _, own in sorted(systems.items())]
    return [trials[index] for index in sorted(in_turn(labels)[:clips])]


def in_turn(rows: list[list[int]]) -> list[int]:
    """One of each row, then the next of each, until all are used up."""
    longest = max(map(len, rows), default=0)
    return [row[i] for i in range(longest) for row in rows if i < len(row)]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """`windows` [B, T], `targets` [B, K] (a row's shares sum to 1), `is_copy` [B].

    `rows`: how many of them count; 0 where a process got none, and holds one as a stand-in.
    """

    windows: NDArray[np.float32]
    targets: NDArray[np.float32]
    is_copy: NDArray[np.bool_]
    rows: int


def batches(
    split: Split,
    recipe: Recipe,
    augmentations: Sequence[Augmentation],
    *,
    epoch: int,
    rank: int = 0,
    processes: int = 1,
) -> Iterator[Batch]:
    """One epoch, in an order drawn anew per epoch; of each batch the share of process `rank`.

    Everything random follows from the recipe's seed, the epoch, the trial's index and which copy
    of it this is, so a run that was cut off goes on as if it had not been, and several processes
    deal together what one deals alone.
    """
    labels, training, classes = label_indices(split, recipe), recipe.training, len(recipe.labels)
    dealt = deal(labels, training, classes=classes, seed=recipe.seed, epoch=epoch)
    for start in range(0, len(dealt.indices), training.batch_size):
        whole = np.arange(start, min(start + training.batch_size, len(dealt.indices)))
        own = whole[rank::processes]
        chosen = own if len(own) else whole[:1]
        windows = []
        for index, copy in zip(dealt.indices[chosen], dealt.copies[chosen], strict=True):
            place = [int(index), int(copy)] if copy else [int(index)]
            rng = np.random.default_rng([recipe.seed, epoch, *place])
            window = training_window(
                split.waveform(int(index)), recipe.data.window, crop=recipe.data.crop, rng=rng
            )
            for augmentation in augmentations:
                window = augmentation.waveform(window, rng)
            windows.append(window)
        yield Batch(
            windows=np.stack(windows).astype(np.float32, copy=False),
            targets=np.eye(classes, dtype=np.float32)[labels[dealt.indices[chosen]]],
            is_copy=dealt.copies[chosen] > 0,
            rows=len(own),
        )


def steps_per_epoch(split: Split, recipe: Recipe) -> int:
    """How many batches `batches` deals."""
    return -(-sum(labels_dealt(split, recipe).values()) // recipe.training.batch_size)


def labels_held(split: Split, recipe: Recipe) -> dict[str, int]:
    """How many recordings of each label the split has."""
    return {label: sum(t.key == label for t in split.trials) for label in recipe.labels}


def labels_dealt(split: Split, recipe: Recipe) -> dict[str, int]:
    """How many recordings of each label one epoch deals, copies included. Raises CorpusError."""
    labels, classes = label_indices(split, recipe), len(recipe.labels)
    counts = dealt_counts(labels, recipe.training, classes=classes)
    return {label: int(count) for label, count in zip(recipe.labels, counts, strict=True)}


def label_indices(split: Split, recipe: Recipe) -> NDArray[np.int64]:
    """[R], each trial's label as its place in the recipe's `labels`."""
    return np.array([recipe.labels.index(trial.key) for trial in split.trials], dtype=np.int64)


def training_window(
    waveform: Waveform, policy: WindowPolicy, *, crop: str, rng: np.random.Generator
) -> Waveform:
    """Recording [T] -> one window [window_samples]: the `first`, or one at a `random` place.

    A shorter recording is filled as the policy says; where that repeats it end to end, a random
    crop also starts the repetition at a random place.
    """
    spare = len(waveform) - policy.window_samples
    if crop == "random" and spare > 0:
        start = int(rng.integers(0, spare + 1))
        waveform = waveform[start : start + policy.window_samples]
    window = fit(waveform, policy)
    if crop == "random" and spare < 0 and policy.short == "tile":
        turned = np.tile(waveform, 2 + policy.window_samples // len(waveform))
        start = int(rng.integers(0, len(waveform)))
        return turned[start : start + policy.window_samples]
    return window
