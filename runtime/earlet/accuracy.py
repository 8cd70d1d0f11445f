"""Scores a labelled corpus with every candidate and says how often each is wrong, with intervals.

All candidates hear the same trials under the same window policy; only their logits differ.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.labelled import LabelledSet
from earlet.manifest import Manifest
from earlet.metrics import equal_error_rate, equal_error_rate_with_interval
from earlet.protocol import Trial
from earlet.scores import calibrate
from earlet.scoring import Logits, score_trials

Floats = NDArray[np.float64]

# Fixed, so that equal scores give equal intervals.
_INTERVAL_SEED = 20


@dataclass(frozen=True, kw_only=True)
class Rate:
    """An equal error rate with its 95 % interval, and how many trials it stands on."""

    eer: float
    low: float
    high: float
    bona_fide: int
    spoof: int


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Error rates on one split of a labelled corpus.

    `pools`: `known` (attacks that training saw), `unknown`, `pooled`, and where the corpus says
    which is which `tts` and `conversion`; a pool without trials is absent. `attacks`: EER of each
    attack against all bona fide trials. `listed`: trials in the protocol; `trials` of them were
    scored, drawn with `seed` where a limit was set. `flips`: verdicts that differ from those of
    `reference`, which is None for the reference itself. `left_out`: trials that could not be used.
    """

    data: str
    split: str
    listed: int
    trials: int
    seed: int | None
    pools: Mapping[str, Rate]
    attacks: Mapping[str, float]
    reference: str | None
    flips: int
    decisions: int
    left_out: int = 0


def measure_accuracy(
    candidates: Mapping[str, Logits],
    *,
    manifest: Manifest,
    labelled: LabelledSet,
    reference: str,
    on_trial: Callable[[], None] | None = None,
) -> dict[str, Accuracy]:
    """Candidate names -> error rates of each, and its verdicts that differ from `reference`'s.

    `on_trial` is called once per trial and candidate. Raises CorpusError on a file that is
    missing, unreadable, of another rate or too short.
    """
    scores = {
        name: calibrate(
            score_trials(
                labelled.trials,
                score,
                policy=manifest.window,
                sample_rate_hz=manifest.sample_rate_hz,
                positive_index=manifest.positive_index,
                on_progress=None if on_trial is None else lambda _: on_trial(),
            ),
            manifest.calibration,
        )
        for name, score in candidates.items()
    }
    verdicts = {name: found >= manifest.threshold for name, found in scores.items()}
    return {
        name: Accuracy(
            data=labelled.name,
            split=labelled.split,
            listed=labelled.listed,
            trials=len(labelled.trials),
            seed=labelled.seed,
            pools=_pools(found, labelled),
            attacks=_attacks(found, labelled.trials),
            reference=None if name == reference else reference,
            flips=int((verdicts[name] != verdicts[reference]).sum()),
            decisions=len(labelled.trials),
            left_out=len(labelled.left_out),
        )
        for name, found in scores.items()
    }


def _pools(scores: Floats, labelled: LabelledSet) -> dict[str, Rate]:
    """EER with interval of each pool that has both classes; bona fide trials are in all of them."""
    pools = {}
    for name, systems in labelled.pools().items():
        chosen = np.array([not t.is_spoof or t.system in systems for t in labelled.trials])
        trials = [t for t, kept in zip(labelled.trials, chosen, strict=True) if kept]
        spoof = np.array([t.is_spoof for t in trials])
        if not spoof.any() or spoof.all():
            continue
        found = equal_error_rate_with_interval(
            scores[chosen],
            spoof,
            groups=[f"{t.system} {t.speaker}" if t.is_spoof else t.speaker for t in trials],
            rng=np.random.default_rng(_INTERVAL_SEED),
        )
        assert found.low is not None
        assert found.high is not None
        pools[name] = Rate(
            eer=found.eer,
            low=found.low,
            high=found.high,
            bona_fide=int((~spoof).sum()),
            spoof=int(spoof.sum()),
        )
    return pools


def _attacks(scores: Floats, trials: Sequence[Trial]) -> dict[str, float]:
    """Attack -> its EER against all bona fide trials."""
    systems = np.array([t.system for t in trials])
    human = np.array([not t.is_spoof for t in trials])
    if not human.any():
        return {}
    found = {}
    for system in sorted(set(systems[~human])):
        chosen = human | (systems == system)
        found[str(system)] = equal_error_rate(scores[chosen], ~human[chosen]).eer
    return found
