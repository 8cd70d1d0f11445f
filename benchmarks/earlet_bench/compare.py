"""Compares any two detectors on the same sounds: numbers, decisions, error rates, size, speed.

What is not the same question to both is not compared: two detectors that hear other rates, cut
other windows or find other things have no common numbers there, and the comparison says so instead
of printing some.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.agreement import Ranks, rank_agreement
from earlet.golden import signals
from earlet.labelled import LabelledSet
from earlet.scores import calibrate, log_odds
from earlet.timing import interleave, ratio
from earlet_bench.compare_recordings import Apart, OnRecordings, apart, flips, on_recordings
from earlet_bench.compare_sides import Side
from earlet_bench.evaluation.subject import Subject
from earlet_bench.latency import Budget
from earlet_bench.progress import Progress, Silent

Array = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class OnGolden:
    """On golden signals. `logits` is None where the two have other labels; `worst`: the signal.

    `flips`: signals on which the decision differs. A golden signal is no sound of the world.
    """

    signals: int
    logits: Apart | None
    scores: Apart | None
    worst: str
    flips: int | None
    ranks: Ranks | None


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One window each, side by side on one core. `ratio`: median over rounds of B / A, CPU time.

    `ratio_per_second`: the same per second of sound, where the windows differ in length.
    """

    rounds: int
    a_p50_ms: float
    b_p50_ms: float
    ratio: float
    ratio_per_second: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Everything that could be compared. `not_compared`: what could not, a sentence each.

    `broken`: answers that are not finite, a sentence each; such a side is compared no further.
    """

    a: Side
    b: Side
    identical: bool
    not_compared: tuple[str, ...]
    broken: tuple[str, ...]
    golden: OnGolden | None
    recordings: OnRecordings | None
    speed: Speed


def compare_sides(
    a: Side,
    b: Side,
    *,
    labelled: LabelledSet | None = None,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Two sides -> Comparison. Raises CorpusError on recordings that cannot be used."""
    tell = progress or Silent()
    one, two = a.subject, b.subject
    sign, missing = _scale(one, two), list(_differences(one, two))
    golden, broken = None, []
    tell.stage("golden signals", 2)
    waves = {side.title: _waves(side.subject) for side in (a, b)}
    answers = []
    for side in (a, b):
        answers.append(side.subject.logits(np.stack(list(waves[side.title].values()))))
        broken += _not_finite(side, waves[side.title], answers[-1])
        tell.step()
    if _same_input(one, two) and not broken:
        golden = _on_golden(one, two, answers, names=list(waves[a.title]), sign=sign)
    recordings = None
    if labelled is not None and not broken:
        why = _why_not_recordings(one, two, labelled, sign=sign)
        if why is None:
            recordings = on_recordings(one, two, labelled, sign=sign or 1.0, tell=tell)
        else:
            missing.append(why)
    return Comparison(
        a=a,
        b=b,
        identical=one.sha256 == two.sha256,
        not_compared=tuple(missing),
        broken=tuple(broken),
        golden=golden,
        recordings=recordings,
        speed=_speed(one, two, budget or Budget(rounds=100, seconds=5), tell),
    )


def scores_of(subject: Subject, logits: Array) -> Floats:
    """Logits [N, K] -> calibrated scores [N] of the label that the subject is built to find."""
    raw = log_odds(logits, positive_index=subject.labels.index(subject.positive))
    return calibrate(raw, subject.calibration)


def _scale(one: Subject, two: Subject) -> float | None:
    """+1 where both find the same label, -1 where each finds the other's other; None otherwise."""
    if one.positive == two.positive:
        return 1.0
    turned = set(one.labels) == set(two.labels) == {one.positive, two.positive}
    return -1.0 if turned else None


def _same_input(one: Subject, two: Subject) -> bool:
    """Whether one window is one window to both; golden signals follow the short rule too."""
    return one.sample_rate_hz == two.sample_rate_hz and one.window == two.window


def _differences(one: Subject, two: Subject) -> list[str]:
    """What makes which numbers incomparable."""
    found = []
    if one.sample_rate_hz != two.sample_rate_hz:
        found.append(
            f"A listens at {one.sample_rate_hz} Hz and B at {two.sample_rate_hz} Hz: no signal "
            "and no recording is the same to both, so only size and speed are compared"
        )
    elif one.window != two.window:
        found.append(
            f"A looks at windows of {one.window.window_samples} samples every "
            f"{one.window.hop_samples} (short ones: {one.window.short}) and B at "
            f"{two.window.window_samples} every {two.window.hop_samples} ({two.window.short}): "
            "golden signals are not the same to both. Recordings can be compared, each cut its "
            "own way"
        )
    if set(one.labels) != set(two.labels):
        found.append(
            f"A knows {', '.join(one.labels)} and B {', '.join(two.labels)}: their logits are not "
            "compared"
        )
    elif one.labels != two.labels:
        found.append(
            f"the logits of B are put in the order of A's labels ({', '.join(one.labels)}) first"
        )
    sign = _scale(one, two)
    if sign is None:
        found.append(
            f"A is to find {one.positive!r} and B {two.positive!r}: scores, decisions and error "
            "rates are not compared"
        )
    elif sign < 0:
        found.append(
            f"A is to find {one.positive!r} and B {two.positive!r}, its opposite: B's scores are "
            "turned round first"
        )
    return found


def _why_not_recordings(
    one: Subject, two: Subject, labelled: LabelledSet, *, sign: float | None
) -> str | None:
    """Why labelled recordings cannot be compared; None where they can."""
    if one.sample_rate_hz != two.sample_rate_hz:
        return f"the recordings of {labelled.name} have one rate, and A and B need two"
    if sign is None:
        return f"the recordings of {labelled.name} are not asked about: see above"
    positives = sum(trial.key == one.positive for trial in labelled.trials)
    if positives in (0, len(labelled.trials)):
        return (
            f"of the {len(labelled.trials)} recordings of {labelled.name} ({labelled.split}), "
            f"{positives} are labelled {one.positive!r}, and an error rate needs some that are "
            "and some that are not"
        )
    return None


def _waves(subject: Subject) -> dict[str, Array]:
    return signals(window=subject.window, sample_rate_hz=subject.sample_rate_hz)


def _not_finite(side: Side, waves: dict[str, Array], logits: Array) -> list[str]:
    bad = [name for name, row in zip(waves, logits, strict=True) if not np.isfinite(row).all()]
    if not bad:
        return []
    return [
        f"{side.title} answers {len(bad)} of {len(waves)} golden signals with a number that is "
        f"not finite, the first {bad[0]!r}: it is broken, and nothing more is compared"
    ]


def _on_golden(
    one: Subject, two: Subject, answers: Sequence[Array], *, names: list[str], sign: float | None
) -> OnGolden:
    """Logits [S, K] of both -> OnGolden."""
    first, second = answers
    logits, away = None, np.zeros(len(names))
    if set(one.labels) == set(two.labels):
        second_ordered = second[:, [two.labels.index(label) for label in one.labels]]
        logits = apart(first, second_ordered)
        away = np.abs(first.astype(np.float64) - second_ordered).max(axis=1)
    scores, differing, ranks = None, None, None
    if sign is not None:
        ours, theirs = scores_of(one, first), sign * scores_of(two, second)
        scores, ranks = apart(ours, theirs), rank_agreement(ours, theirs)
        differing = flips(one, two, ours, theirs, sign=sign)
        away = away if logits is not None else np.abs(ours - theirs)
    return OnGolden(
        signals=len(names),
        logits=logits,
        scores=scores,
        worst=names[int(np.argmax(away))],
        flips=differing,
        ranks=ranks,
    )


def _speed(one: Subject, two: Subject, budget: Budget, tell: Progress) -> Speed:
    """A B A B ..., one window each a round; the next round takes the next golden signal."""
    calls = {"A": _cycling(one), "B": _cycling(two)}
    for call in calls.values():
        call()
    start = time.perf_counter()
    for call in calls.values():
        call()
    rounds = budget.rounds_of(time.perf_counter() - start)
    tell.stage("latency", rounds)
    timings = interleave(calls, rounds=rounds, on_round=tell.step)
    found = ratio(timings["B"], timings["A"])
    return Speed(
        rounds=rounds,
        a_p50_ms=timings["A"].percentile_ms(50),
        b_p50_ms=timings["B"].percentile_ms(50),
        ratio=found,
        ratio_per_second=found * _window_s(one) / _window_s(two),
    )


def _window_s(subject: Subject) -> float:
    return subject.window.window_samples / subject.sample_rate_hz


def _cycling(subject: Subject) -> Callable[[], Array]:
    batches = itertools.cycle([np.ascontiguousarray(w[None]) for w in _waves(subject).values()])
    return lambda: subject.logits(next(batches))
