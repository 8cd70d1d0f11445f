"""LFCC and Gaussian mixtures: the classical baseline that a trained detector has to beat."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.errors import CorpusError
from earlet.metrics import EqualErrorRate, equal_error_rate, equal_error_rate_with_interval
from earlet.protocol import KEYS, Trial, known_systems, read_protocol
from earlet.scoring import read_trial
from earlet_train.lfcc import lfcc

Floats = NDArray[np.float32]
Scored = list[tuple[Trial, float]]
Progress = Callable[[str, int, int], None]
SAMPLE_RATE_HZ = 16_000
FRAMES_PER_CLASS = 200_000


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Equal error rates in 0..1 by pool (dev, eval, eval-known, eval-unknown), and by attack."""

    corpus: str
    mixtures: int
    seed: int
    pools: Mapping[str, EqualErrorRate]
    attacks: Mapping[str, float]
    trials: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Mixtures:
    """One fitted sklearn GaussianMixture per key."""

    bonafide: Any
    spoof: Any


def run_baseline(
    corpus: Path, *, mixtures: int, seed: int, on_progress: Progress | None = None
) -> Baseline:
    """Fit on train, score dev and eval by log p(spoof) - log p(bona fide). Raises CorpusError."""
    report = on_progress or (lambda stage, done, total: None)
    rng = np.random.default_rng(seed)
    models = fit_both(read_protocol(corpus, "train"), mixtures, rng, report)
    dev, evaluated = (
        score(read_protocol(corpus, split), models, split, report) for split in ("dev", "eval")
    )
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
    frames = lfcc(read_trial(trial, sample_rate_hz=SAMPLE_RATE_HZ), sample_rate_hz=SAMPLE_RATE_HZ)
    if not len(frames):
        raise CorpusError(f"{trial.path} is shorter than one frame of 20 ms. Build it again.")
    return frames


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
