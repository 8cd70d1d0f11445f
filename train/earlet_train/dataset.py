"""Reads a corpus into memory and deals it out in batches, the same way again for the same seed."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError, CorpusError
from earlet.manifest import WindowPolicy
from earlet.protocol import Trial, missing_files, read_protocol
from earlet.scoring import read_trial
from earlet.windows import Waveform, fit
from earlet_train.augmentations.augmentation import Augmentation
from earlet_train.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Split:
    """One split in memory, as int16: an hour at 16 kHz takes 115 MB."""

    trials: Sequence[Trial]
    samples: Sequence[NDArray[np.int16]] = field(repr=False)

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
    on_progress: Callable[[], None] | None = None,
) -> Split:
    """One split of a corpus tree, every recording read and checked. Raises CorpusError."""
    trials = read_protocol(corpus, split)
    lost = missing_files(trials)
    if lost:
        raise CorpusError(
            f"{len(lost)} of the {len(trials)} recordings of split {split!r} are missing, the "
            f"first is {lost[0]}. Run the same build again, which makes what is missing: "
            f"earlet corpus build --out {corpus}"
        )
    unknown = sorted({trial.key for trial in trials} - set(recipe.labels))
    if unknown:
        raise CorpusError(
            f"split {split!r} of {corpus} has recordings labelled {unknown[0]!r}, and the recipe "
            f"{recipe.name!r} knows only {', '.join(recipe.labels)}."
        )

    def read(trial: Trial) -> NDArray[np.int16]:
        waveform = read_trial(trial, sample_rate_hz=recipe.data.sample_rate_hz)
        try:
            fit(waveform, recipe.data.window)
        except AudioError as error:
            raise CorpusError(f"{trial.path}: {error}") from None
        if on_progress is not None:
            on_progress()
        return np.clip(np.rint(waveform * 32768), -32768, 32767).astype(np.int16)

    # Decoding happens in C with the interpreter's lock released.
    with ThreadPoolExecutor(max_workers=2) as readers:
        return Split(trials=trials, samples=list(readers.map(read, trials)))


def corpus_hash(*splits: Split) -> str:
    """sha256 over the protocol rows of these splits: which trials, not which bytes of audio."""
    digest = sha256()
    for split in splits:
        for t in split.trials:
            digest.update(f"{t.speaker} {t.file} {t.system} {t.key}\n".encode())
        digest.update(b"\n")
    return digest.hexdigest()


def batches(
    split: Split, recipe: Recipe, augmentations: Sequence[Augmentation], *, epoch: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """One epoch -> (windows [B, T], label indices [B]) each, in an order drawn anew per epoch.

    Everything random follows from the recipe's seed, the epoch and the trial's index, so a run
    that was cut off goes on as if it had not been.
    """
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(split))
    labels = np.array([recipe.labels.index(trial.key) for trial in split.trials])
    size = recipe.training.batch_size
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        windows = []
        for index in chosen:
            rng = np.random.default_rng([recipe.seed, epoch, int(index)])
            window = training_window(
                split.waveform(int(index)), recipe.data.window, crop=recipe.data.crop, rng=rng
            )
            for augmentation in augmentations:
                window = augmentation.waveform(window, rng)
            windows.append(window)
        yield np.stack(windows).astype(np.float32, copy=False), labels[chosen]


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
