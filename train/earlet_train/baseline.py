"""LFCC and Gaussian mixtures: the classical baseline that a trained detector has to beat."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.bad_recordings import Bad, Need, find_bad, left_out, refuse, without
from earlet.errors import CorpusError
from earlet.metrics import EqualErrorRate, equal_error_rate, equal_error_rate_with_interval
from earlet.protocol import KEYS, SPLITS, Trial, known_systems, read_protocol
from earlet.scoring import read_trial
from earlet_train.lfcc import lfcc

Floats = NDArray[np.float32]
Scored = list[tuple[Trial, float]]
Progress = Callable[[str, int, int], None]
SAMPLE_RATE_HZ = 16_000
# One frame of LFCC, 20 ms.
SHORTEST_SAMPLES = 320
FRAMES_PER_CLASS = 200_000


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Equal error rates in 0..1 by pool (dev, eval, eval-known, eval-unknown), and by attack.

    `left_out`: recordings that could not be used, and why.
    """

    corpus: str
    mixtures: int
    seed: int
    pools: Mapping[str, EqualErrorRate]
    attacks: Mapping[str, float]
    trials: Mapping[str, int]
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Mixtures:
    """One fitted sklearn GaussianMixture per key."""

    bonafide: Any
    spoof: Any


def run_baseline(
    corpus: Path,
    *,
    mixtures: int,
    seed: int,
    skip_bad: bool = False,
    on_left_out: Callable[[str], None] = lambda words: None,
    on_progress: Progress | None = None,
) -> Baseline:
    """Fit on train, score dev and eval by log p(spoof) - log p(bona fide).

    Raises CorpusError, before anything is fitted, that names all recordings that cannot be used;
    `skip_bad`: does without them; `on_left_out` hears which.
    """
    report = on_progress or (lambda stage, done, total: None)
    rng = np.random.default_rng(seed)
    trials, bad = usable(corpus, skip_bad=skip_bad, report=report)
    if bad:
        on_left_out(left_out(bad, of=sum(map(len, trials.values())) + len(bad)))
    models = fit_both(trials["train"], mixtures, rng, report)
    dev, evaluated = (score(trials[split], models, split, report) for split in ("dev", "eval"))
    known = known_systems(corpus)
    chosen = {
        "dev": dev,
        "eval": evaluated,
        "eval-known": against(evaluated, lambda system: system in known),
        "eval-unknown": against(evaluated, lambda system: system not in known),
    }
    chosen = {name: pool for name, pool in chosen.items() if any(t.is_spoof for t, _ in pool)}
    systems = sorted({t.system for t, _ in evaluated if t.is_spoof})
    attacks = {system: against(evaluated, system.__eq__) for system in systems}
    return Baseline(
        corpus=corpus.resolve().name,
        mixtures=mixtures,
        seed=seed,
        pools={name: error_rate(pool, rng) for name, pool in chosen.items()},
        attacks={name: equal_error_rate(*columns(pool)).eer for name, pool in attacks.items()},
        trials={name: len(pool) for name, pool in chosen.items()},
        left_out={one.trial.file: one.why for one in bad},
    )


def usable(
    corpus: Path, *, skip_bad: bool, report: Progress
) -> tuple[dict[str, list[Trial]], list[Bad]]:
    """Split -> its trials that can be used; and the others. Raises CorpusError."""
    listed = {split: read_protocol(corpus, split) for split in SPLITS}
    everything = [trial for own in listed.values() for trial in own]
    for split, own in listed.items():
        refuse_other_labels(split, own)
    done = count(1)
    bad = find_bad(
        everything,
        Need(sample_rate_hz=SAMPLE_RATE_HZ, least_samples=SHORTEST_SAMPLES),
        on_trial=lambda: report("looking at recordings", next(done), len(everything)),
    )
    if not skip_bad:
        refuse(bad, of=len(everything), corpus=corpus)
    kept = {split: without(own, bad) for split, own in listed.items()}
    if bad:
        # Leaving recordings out may leave a class out.
        for split, own in kept.items():
            refuse_other_labels(split, own)
    return kept, bad


def refuse_other_labels(split: str, trials: Sequence[Trial]) -> None:
    """Raises CorpusError where a split has other labels than bona fide and spoof, or lacks one."""
    found = {trial.key for trial in trials}
    if found != set(KEYS):
        raise CorpusError(
            f"the split {split!r} has recordings labelled {', '.join(sorted(found)) or 'nothing'}; "
            "the baseline tells bonafide from spoof, and needs both in every split."
        )


def table(result: Baseline) -> str:
    """The result as lines of text for a terminal."""
    lines = [f"LFCC-GMM, {result.mixtures} mixtures, corpus {result.corpus}", ""]
    for name, rate in result.pools.items():
        assert rate.low is not None
        assert rate.high is not None
        lines.append(
            f"{name:13} EER {100 * rate.eer:5.1f} %   "
            f"95 % interval {100 * rate.low:4.1f} to {100 * rate.high:4.1f}   "
            f"{result.trials[name]} recordings"
        )
    lines += ["", "by attack (eval)"]
    lines += [f"{name:13} EER {100 * eer:5.1f} %" for name, eer in result.attacks.items()]
    if result.left_out:
        lines += ["", f"left out: {len(result.left_out)} recordings that cannot be used"]
    return "\n".join(lines)


def fit_both(
    trials: Sequence[Trial], mixtures: int, rng: np.random.Generator, report: Progress
) -> Mixtures:
    """Trials -> a mixture per key, each of `mixtures` diagonal Gaussians."""
    frames: dict[str, list[Floats]] = {key: [] for key in KEYS}
    for i, trial in enumerate(trials, start=1):
        frames[trial.key].append(features(trial))
        report("features of train", i, len(trials))
    fitted = {}
    for i, key in enumerate(KEYS):
        report(f"fitting {key}", i, len(KEYS))
        pool = np.concatenate(frames[key]) if frames[key] else np.zeros((0, 60), np.float32)
        if len(pool) < 10 * mixtures:
            raise CorpusError(
                f"the train split holds {len(pool)} frames of {key!r}, too few for {mixtures} "
                "mixtures. Ask for fewer with --mixtures, or build a larger corpus."
            )
        drawn = rng.choice(len(pool), size=min(len(pool), FRAMES_PER_CLASS), replace=False)
        fitted[key] = fit_mixture(pool[drawn], mixtures, seed=int(rng.integers(2**31)))
    return Mixtures(bonafide=fitted["bonafide"], spoof=fitted["spoof"])


def fit_mixture(frames: Floats, mixtures: int, *, seed: int) -> Any:
    """Frames [N, D] -> sklearn GaussianMixture. Stopping before full convergence is no error."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(
        mixtures,
        covariance_type="diag",
        max_iter=40,
        tol=1e-3,
        reg_covar=1e-4,
        init_params="k-means++",
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(frames)


def score(trials: Sequence[Trial], models: Mixtures, split: str, report: Progress) -> Scored:
    """Trials -> (trial, mean log-likelihood ratio per frame) each; higher = more likely spoofed."""
    scored = []
    for i, trial in enumerate(trials, start=1):
        x = features(trial)
        ratio = models.spoof.score_samples(x) - models.bonafide.score_samples(x)
        scored.append((trial, float(np.mean(ratio))))
        report(f"scoring {split}", i, len(trials))
    return scored


def features(trial: Trial) -> Floats:
    """Trial -> LFCC [N, 60], N at least 1. Raises CorpusError."""
    waveform = read_trial(trial, sample_rate_hz=SAMPLE_RATE_HZ)
    return lfcc(waveform, sample_rate_hz=SAMPLE_RATE_HZ)


def against(scored: Scored, wanted: Callable[[str], bool]) -> Scored:
    """All bona fide trials, and the spoofed ones of the wanted systems."""
    return [(t, s) for t, s in scored if not t.is_spoof or wanted(t.system)]


def error_rate(scored: Scored, rng: np.random.Generator) -> EqualErrorRate:
    """EER with an interval from resampling speakers, and attacks with their speakers."""
    groups = [f"{t.system} {t.speaker}" if t.is_spoof else t.speaker for t, _ in scored]
    return equal_error_rate_with_interval(*columns(scored), groups=groups, rng=rng)


def columns(scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """-> scores [N], is spoof [N]."""
    return np.array([s for _, s in scored]), np.array([t.is_spoof for t, _ in scored])
