"""Reads a split of a labelled corpus, whole or a drawn part of it, and its attack pools."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from earlet.errors import CorpusError, UsageError
from earlet.protocol import Trial, known_systems, missing_files, read_protocol, splits
from earlet.scoring import read_trial

_TRAIN = "*_cm_protocols/*.cm.train.trn.txt"


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """Trials to score. `known`: attacks that training saw, None where that is not told.

    `methods`: attack -> tts, copy or vc.
    `listed`: trials in the protocol; where only a part was drawn, `seed` says with which seed.
    """

    name: str
    split: str
    listed: int
    trials: Sequence[Trial]
    seed: int | None
    known: frozenset[str] | None
    methods: Mapping[str, str] = field(default_factory=dict)

    def pools(self) -> dict[str, frozenset[str]]:
        """Pool name -> its attacks; pools without attacks are left out."""
        attacks = frozenset(t.system for t in self.trials if t.is_spoof)
        pools = {
            "known": attacks & (self.known or frozenset()),
            "unknown": frozenset() if self.known is None else attacks - self.known,
            "pooled": attacks,
            "tts": frozenset(a for a in attacks if self.methods.get(a) == "tts"),
            "conversion": frozenset(a for a in attacks if self.methods.get(a) in ("copy", "vc")),
        }
        return {name: systems for name, systems in pools.items() if systems}

    def check_rate(self, sample_rate_hz: int) -> None:
        """Raises CorpusError where the first recording does not fit a detector of that rate."""
        read_trial(self.trials[0], sample_rate_hz=sample_rate_hz)


def read_labelled(
    corpus: Path, *, limit: int | None, seed: int, split: str = "eval"
) -> LabelledSet:
    """One split of a corpus, tree or imported tables. Raises CorpusError, UsageError.

    `limit`: draw that many trials, each attack and the bona fide ones in their proportions.
    """
    everything = read_protocol(corpus, split)
    trials = everything
    if limit is not None:
        trials = draw(everything, limit=limit, rng=np.random.default_rng(seed))
    missing = missing_files(trials)
    if missing:
        raise CorpusError(
            f"{corpus} lists {len(missing)} recordings that it does not hold, the first is "
            f"{missing[0]}. Build or copy the corpus again."
        )
    return LabelledSet(
        name=corpus.resolve().name,
        split=split,
        listed=len(everything),
        trials=trials,
        seed=None if len(trials) == len(everything) else seed,
        known=known_systems(corpus) if "train" in splits(corpus) else None,
        methods=_methods(corpus),
    )


def draw(trials: Sequence[Trial], *, limit: int, rng: np.random.Generator) -> list[Trial]:
    """That many trials, stratified by label and attack, in the protocol's order.

    Shares are proportional, rounded by largest remainder, at least one per stratum. Raises
    UsageError where the limit is smaller than the number of strata.
    """
    if limit >= len(trials):
        return list(trials)
    strata = np.array([f"{t.key} {t.system}" for t in trials])
    names, counts = np.unique(strata, return_counts=True)
    if limit < len(names):
        raise UsageError(
            f"--limit {limit} is too small: there are {len(names)} strata (each label and each "
            f"attack), and each needs a trial. Give at least --limit {len(names)}"
        )
    # One each, then the rest by share.
    exact = (counts - 1) * (limit - len(names)) / max(1, (counts - 1).sum())
    shares = 1 + np.floor(exact).astype(int)
    for index in np.argsort(-(exact % 1), kind="stable")[: limit - shares.sum()]:
        shares[index] += 1
    picked = [
        rng.choice(np.flatnonzero(strata == name), size=share, replace=False)
        for name, share in zip(names, shares, strict=True)
    ]
    return [trials[i] for i in sorted(np.concatenate(picked).tolist())]


def _methods(corpus: Path) -> dict[str, str]:
    """Attack -> tts, copy or vc, from `corpus.json` where the corpus has one; {} otherwise."""
    file = corpus / "corpus.json"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise CorpusError(f"{file} is not JSON ({error}). Build the corpus again.") from None
    systems = data.get("systems", {}) if isinstance(data, dict) else {}
    if isinstance(systems, list):
        systems = {s.get("id", s.get("system")): s for s in systems if isinstance(s, dict)}
    return {
        str(name): str(entry["method"])
        for name, entry in systems.items()
        if isinstance(entry, dict) and "method" in entry
    }
