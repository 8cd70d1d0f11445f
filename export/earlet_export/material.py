"""Chooses the recordings that calibrate int8 (train split) and those that prove it (dev split)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.errors import AudioError, CorpusError
from earlet.labelled import LabelledSet, read_labelled
from earlet.manifest import WindowPolicy
from earlet.protocol import Trial, read_protocol, splits
from earlet.scoring import read_trial
from earlet.windows import cut, fit

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProofTrial:
    """One recording of the dev split and its windows [S, T]."""

    trial: Trial
    windows: Array

    @property
    def group(self) -> str:
        """Trials that are not independent of each other: one voice, one machine's copy of it."""
        return f"{self.trial.system} {self.trial.speaker}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """`calibration` [N, T]: one window of each train recording; `trials`: the proof.

    `held_out`: eval recordings to report on, never to choose by; None where the corpus has none.
    """

    calibration: Array
    trials: tuple[ProofTrial, ...]
    held_out: LabelledSet | None = None


def gather(
    corpus: Path,
    *,
    positive: str,
    window: WindowPolicy,
    sample_rate_hz: int,
    calibration_clips: int,
    proof_clips: int,
    held_out_clips: int,
    rng: np.random.Generator,
) -> Material:
    """Read as many recordings as asked for, or all there are. Raises CorpusError.

    `positive`: the label that the detector is built to find: dev needs some of it and of others.
    `held_out_clips` 0: leave the eval split alone, as where the corpus has no protocol for it.
    """
    train = choose(read_protocol(corpus, "train"), calibration_clips, rng)
    dev = choose(read_protocol(corpus, "dev"), proof_clips, rng)
    for kind, count in (
        (repr(positive), sum(trial.key == positive for trial in dev)),
        (f"other than {positive!r}", sum(trial.key != positive for trial in dev)),
    ):
        if not count:
            raise CorpusError(
                f"the dev split of {corpus} has no recording labelled {kind}, and an equal error "
                "rate needs both kinds. Point --data at a whole corpus."
            )

    def windows(trial: Trial) -> Array:
        """The windows whose scores make the recording's score, [S, T]."""
        waveform = read_trial(trial, sample_rate_hz=sample_rate_hz)
        try:
            return (
                fit(waveform, window)[None] if window.pooling == "first" else cut(waveform, window)
            )
        except AudioError as error:
            raise CorpusError(f"{trial.path}: {error}") from None

    return Material(
        calibration=np.stack([windows(trial)[0] for trial in train]),
        trials=tuple(ProofTrial(trial=trial, windows=windows(trial)) for trial in dev),
        held_out=read_labelled(corpus, limit=held_out_clips, seed=0)
        if held_out_clips and "eval" in splits(corpus)
        else None,
    )


def choose(trials: Sequence[Trial], count: int, rng: np.random.Generator) -> list[Trial]:
    """`count` of the trials, even over the labels, and within a label even over the systems.

    Where a kind runs out, the others fill up. All, in their order, where there are no more.
    """
    if len(trials) <= count:
        return list(trials)
    by_kind: dict[str, dict[str, list[Trial]]] = defaultdict(lambda: defaultdict(list))
    for i in rng.permutation(len(trials)):
        by_kind[trials[i].key][trials[i].system].append(trials[i])
    labels = [
        list(_in_turn([systems[name] for name in sorted(systems)]))
        for _, systems in sorted(by_kind.items())
    ]
    return list(_in_turn(labels))[:count]


def at_three_levels(windows: Array) -> Iterator[Array]:
    """Windows [N, T] -> each [1, T] as it is, 20 dB quieter, and quieter still or at full scale.

    A recorder's gain is not known when the ranges are learned; a quiet clip fills few of the
    steps of a range learned from loud ones alone.
    """
    for i, window in enumerate(windows):
        peak = max(float(np.abs(window).max()), 1e-6)
        extreme = 0.01 if i % 2 else 1.0 / peak
        for gain in (1.0, 0.1, extreme):
            yield (window * np.float32(gain))[None]


def _in_turn(queues: Sequence[Sequence[Trial]]) -> Iterator[Trial]:
    """One of each queue, then the next of each, until all are empty."""
    for i in range(max((len(queue) for queue in queues), default=0)):
        for queue in queues:
            if i < len(queue):
                yield queue[i]
