"""Reads a split of a labelled corpus, whole or a drawn part of it, and its attack pools."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from earlet.bad_recordings import Bad, Need, find_bad, refuse, without
from earlet.errors import CorpusError, UsageError
from earlet.protocol import KEYS, Trial, known_systems, read_protocol, splits


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """Trials to score. `known`: attacks that training saw, None where that is not told.

    `methods`: attack -> tts, copy or vc.
    `listed`: trials in the protocol; where only a part was drawn, `seed` says with which seed.
    `left_out`: those that cannot be used, and are no longer among the trials (see `usable`).
    """

    corpus: Path
    name: str
    split: str
    listed: int
    trials: Sequence[Trial]
    seed: int | None
    known: frozenset[str] | None
    methods: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[Bad] = ()

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

    def usable(
        self, *needs: Need, skip_bad: bool = False, on_trial: Callable[[], None] = lambda: None
    ) -> "LabelledSet":
        """The set, every recording decoded. Raises CorpusError naming those that fail any need.

        `skip_bad`: without those, instead.
        """
        left = self
        for need in needs:
            bad = find_bad(left.trials, need, on_trial=on_trial)
            left = replace(left, trials=without(left.trials, bad), left_out=(*left.left_out, *bad))
        if not skip_bad:
            refuse(left.left_out, of=len(self.trials), corpus=self.corpus)
        return left

    def check_spoof_labels(self) -> None:
        """Raises CorpusError where the labels are other than bona fide and spoof, or one of them.

        An equal error rate of spoofed speech needs both.
        """
        strange = [t for t in self.trials if t.key not in KEYS]
        if strange:
            raise CorpusError(
                f"{len(strange)} of {len(self.trials)} trials of {self.name} are labelled neither "
                f"'bonafide' nor 'spoof', the first, {strange[0].file!r}, {strange[0].key!r}. "
                "Error rates of spoofed speech need a spoofing corpus; detectors of other sounds "
                "are judged by: earlet evaluate"
            )
        spoof = sum(t.is_spoof for t in self.trials)
        if spoof in (0, len(self.trials)):
            raise CorpusError(
                f"the split {self.split!r} of {self.name} holds {len(self.trials) - spoof} bona "
                f"fide and {spoof} spoofed trials; an error rate needs both. Name another split "
                "with --split, or a larger --limit."
            )


def read_labelled(
    corpus: Path, *, limit: int | None, seed: int, split: str = "eval"
) -> LabelledSet:
    """One split of a corpus, tree or imported tables. Raises CorpusError, UsageError.

    Reads what is listed, not the audio: see `LabelledSet.usable`. `limit`: draw that many trials,
    each attack and the bona fide ones in their proportions.
    """
    everything = read_protocol(corpus, split)
    trials = everything
    if limit is not None:
        trials = draw(everything, limit=limit, rng=np.random.default_rng(seed))
    return LabelledSet(
        corpus=corpus,
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
