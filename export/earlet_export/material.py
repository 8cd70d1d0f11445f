"""Chooses the recordings that calibrate int8 (train split) and those that prove it (dev split)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earlet.bad_recordings import Bad, Need, hear, mend, named, refuse
from earlet.errors import CorpusError
from earlet.labelled import LabelledSet, read_labelled
from earlet.manifest import WindowPolicy
from earlet.protocol import Trial, read_protocol, splits
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
    `left_out`: chosen ones of any split that cannot be used, out of `chosen` in all.
    `calibration_files`: the names of the train recordings, in the order of `calibration`.
    """

    calibration: Array
    trials: tuple[ProofTrial, ...]
    held_out: LabelledSet | None = None
    left_out: tuple[Bad, ...] = ()
    chosen: int = 0
    calibration_files: tuple[str, ...] = ()


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
    skip_bad: bool = False,
) -> Material:
    """Read as many recordings as asked for, or all there are. Raises CorpusError.

    `positive`: the label that the detector is built to find: dev needs some of it and of others.
    `held_out_clips` 0: leave the eval split alone, as where the corpus has no protocol for it.
    Recordings that cannot be used are named all at once; `skip_bad`: left out instead.
    """
    train = choose(read_protocol(corpus, "train"), calibration_clips, rng)
    dev = choose(read_protocol(corpus, "dev"), proof_clips, rng)
    _check_kinds(dev, positive=positive, corpus=corpus)
    held_out = None
    if held_out_clips and "eval" in splits(corpus):
        held_out = read_labelled(corpus, limit=held_out_clips, seed=0)
    chosen = len(train) + len(dev) + (0 if held_out is None else len(held_out.trials))

    need = Need.of(window, sample_rate_hz=sample_rate_hz)
    heard = [hear(trial, need) for trial in (*train, *dev)]
    bad = [one for one in heard if isinstance(one, Bad)]
    if held_out is not None:
        held_out = held_out.usable(need, skip_bad=True)
        bad += held_out.left_out
    if not skip_bad:
        refuse(bad, of=chosen, corpus=corpus)

    def usable(trials: Sequence[Trial], waveforms: Sequence[Array | Bad]) -> list[ProofTrial]:
        return [
            ProofTrial(trial=trial, windows=_windows(waveform, window))
            for trial, waveform in zip(trials, waveforms, strict=True)
            if not isinstance(waveform, Bad)
        ]

    calibration = usable(train, heard[: len(train)])
    proof = usable(dev, heard[len(train) :])
    if bad:
        # Leaving recordings out may leave nothing, or one kind.
        if not calibration:
            raise CorpusError(
                f"none of the {len(train)} train recordings can be used:\n{named(bad)}\n"
                f"{mend(corpus, bad)}"
            )
        _check_kinds([one.trial for one in proof], positive=positive, corpus=corpus)
    return Material(
        calibration=np.stack([one.windows[0] for one in calibration]),
        trials=tuple(proof),
        held_out=held_out,
        left_out=tuple(bad),
        chosen=chosen,
        calibration_files=tuple(one.trial.file for one in calibration),
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


def _check_kinds(dev: Sequence[Trial], *, positive: str, corpus: Path) -> None:
    """Raises CorpusError where the dev recordings are all positive, or none is."""
    for kind, count in (
        (repr(positive), sum(trial.key == positive for trial in dev)),
        (f"other than {positive!r}", sum(trial.key != positive for trial in dev)),
    ):
        if not count:
            raise CorpusError(
                f"the dev split of {corpus} has no recording labelled {kind}, and an equal error "
                "rate needs both kinds. Point --data at a whole corpus."
            )


def _windows(waveform: Array, policy: WindowPolicy) -> Array:
    """The windows whose scores make the recording's score, [S, T]."""
    return fit(waveform, policy)[None] if policy.pooling == "first" else cut(waveform, policy)


def _in_turn(queues: Sequence[Sequence[Trial]]) -> Iterator[Trial]:
    """One of each queue, then the next of each, until all are empty."""
    for i in range(max((len(queue) for queue in queues), default=0)):
        for queue in queues:
            if i < len(queue):
                yield queue[i]
