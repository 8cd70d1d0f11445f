"""The whole ladder: torch in float64, torch, fp32, int8, each at three depths.

Features: what the model hears. Logits: what it answers. Decisions: what a user is told. A fault of
the frontend shows at the first depth already, one of the model's weights at the second, and the
third tells whether anyone would notice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from earlet_export.answers import Answer, Answers, Array, Questions, Scale, ask
from earlet_export.difference import Difference, Gap, difference
from earlet_export.exact import Original
from earlet_export.prove import Decided, Promises, check_finite, decide, refuse_not_finite

FLOAT64 = "torch float64"
# Wider arithmetic costs two to three times the time of float32, which is the dearest rung as it is.
FLOAT64_RECORDINGS = 24


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rung at one depth.

    `from_torch`: against the float32 original, on everything that was asked; `from_float64`:
    against the same weights in float64, on the part that was asked there. `worst`: where the
    largest difference from torch was found.
    """

    from_torch: Difference
    from_float64: Difference | None = None
    worst: str = ""


@dataclass(frozen=True, kw_only=True)
class Float64:
    """What float64 was asked, and what it decided against torch on the same recordings.

    `features`, `logits`: how far torch itself lies from it.
    """

    golden_signals: int
    recordings: int
    features: Difference
    logits: Difference
    decided: Decided


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """`features`, `logits`: graph -> its step. Decisions of the graphs: see `prove.Rung`.

    `float64` is None where the network does not compute in it: `why_not_float64` says why.
    `windows`: on so many were the features compared.
    """

    windows: int
    features: Mapping[str, Step]
    logits: Mapping[str, Step]
    float64: Float64 | None = None
    why_not_float64: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Climber:
    """A graph to compare. `features`: [B, T] -> [B, C, F, N]; `answers`: its logits to all."""

    features: Callable[[Array], Array]
    answers: Answers


def climb(
    asked: Questions,
    *,
    torch: Original,
    float64: Original | str,
    original: Answers,
    graphs: Mapping[str, Climber],
    scale: Scale,
) -> Ladder:
    """The original, in float32 and (unless it is told why not) in float64, and graphs -> Ladder.

    `original`: the float32 logits to everything asked. Raises ParityError where a number is not
    finite, whoever gives it.
    """
    wide = None if isinstance(float64, str) else float64
    features = _Features(torch=torch, float64=wide, graphs=graphs)
    part, chosen = asked.part(FLOAT64_RECORDINGS)
    windows = 0
    for name, window, is_part in _windows(asked, part):
        features.hear(name, window[None], in_float64=is_part)
        windows += 1
    logits = {name: _logits_step(original, g.answers, asked) for name, g in graphs.items()}
    if wide is None:
        assert isinstance(float64, str)
        return Ladder(
            windows=windows,
            features=features.steps(),
            logits=logits,
            why_not_float64=float64,
        )
    exact = ask(wide.logits, part)
    check_finite("the original in float64", exact, part)
    heard = [original.trials[i] for i in chosen]
    return Ladder(
        windows=windows,
        features=features.steps(),
        logits={
            name: Step(
                from_torch=step.from_torch,
                from_float64=_from(exact, graphs[name].answers, chosen),
                worst=step.worst,
            )
            for name, step in logits.items()
        },
        float64=Float64(
            golden_signals=len(part.golden),
            recordings=len(chosen),
            features=features.torch_from_float64.difference(),
            logits=_from(exact, original, chosen),
            decided=decide(exact.trials, heard, trials=part.trials, scale=scale),
        ),
    )


def broken_features(ladder: Ladder, *, promises: Promises) -> tuple[str, ...]:
    """Graphs whose frontend is farther from the original's than promised, each with its number."""
    return tuple(
        f"the frontend of the {name} graph gives other features than the original's: SQNR "
        f"{step.from_torch.sqnr_db:.1f} dB, max difference {step.from_torch.max_abs:.3g} on "
        f"{step.worst}; promised: at least {promises.features_min_sqnr_db:g} dB, in every graph, "
        "as the frontend stays in float"
        for name, step in ladder.features.items()
        if step.from_torch.sqnr_db is not None
        and step.from_torch.sqnr_db < promises.features_min_sqnr_db
    )


class _Features:
    """Compares features window by window: all of them at once would fill the memory."""

    def __init__(
        self, *, torch: Original, float64: Original | None, graphs: Mapping[str, Climber]
    ) -> None:
        self._torch, self._float64, self._graphs = torch, float64, graphs
        self.torch_from_float64 = Gap()
        self._from_torch = {name: Gap() for name in graphs}
        self._from_float64 = {name: Gap() for name in graphs}
        self._worst = {name: (-1.0, "") for name in graphs}

    def hear(self, name: str, window: Array, *, in_float64: bool) -> None:
        """One window [1, T]; `name` says in words what it is."""
        original = self._torch.features(window)
        refuse_not_finite(original, f"the PyTorch original on {name}", "features")
        exact = None
        if in_float64 and self._float64 is not None:
            exact = self._float64.features(window)
            refuse_not_finite(exact, f"the original in float64 on {name}", "features")
            self.torch_from_float64.add(exact, original)
        for graph, climber in self._graphs.items():
            moved = climber.features(window)
            refuse_not_finite(moved, f"the {graph} graph on {name}", "features")
            away = self._from_torch[graph].add(original, moved)
            self._worst[graph] = max(self._worst[graph], (away, name))
            if exact is not None:
                self._from_float64[graph].add(exact, moved)

    def steps(self) -> dict[str, Step]:
        """Over everything that was heard."""
        return {
            name: Step(
                from_torch=gap.difference(),
                from_float64=None
                if self._float64 is None
                else self._from_float64[name].difference(),
                worst=self._worst[name][1],
            )
            for name, gap in self._from_torch.items()
        }


def _windows(asked: Questions, part: Questions) -> Iterator[tuple[str, Array, bool]]:
    """What it is, the window [T], and whether float64 is asked too."""
    for name, wave in asked.golden.items():
        yield f"the golden signal {name!r}", wave, True
    for heard in part.trials:
        yield heard.trial.file, heard.windows[0], True
    for level, windows in asked.levels.items():
        for window in windows:
            yield f"real sound at {level:g} dBFS", window, False
    for condition, recordings in asked.conditions.items():
        # Of several windows of one recording the last one holds the odd rest.
        for windows in recordings:
            yield f"real sound ({condition})", windows[-1], False


def _logits_step(original: Answers, moved: Answers, asked: Questions) -> Step:
    """Over everything, with the name of the question that moved them most."""
    pairs: list[tuple[str, Answer, Answer]] = []
    for name, exact, ours in zip(asked.golden, original.golden, moved.golden, strict=True):
        pairs.append((f"the golden signal {name!r}", exact, ours))
    for heard, exact, ours in zip(asked.trials, original.trials, moved.trials, strict=True):
        pairs.append((heard.trial.file, exact, ours))
    for level, exact in original.levels.items():
        pairs.append((f"real sound at {level:g} dBFS", exact, moved.levels[level]))
    for condition, recordings in original.conditions.items():
        for exact, ours in zip(recordings, moved.conditions[condition], strict=True):
            pairs.append((f"real sound ({condition})", exact, ours))
    gap, worst = Gap(), (-1.0, "")
    for name, exact, ours in pairs:
        worst = max(worst, (gap.add(exact, ours), name))
    return Step(from_torch=gap.difference(), worst=worst[1])


def _from(exact: Answers, moved: Answers, chosen: list[int]) -> Difference:
    """Logits in float64 to a part of the questions, and another's to all of them."""
    same = [moved.trials[i] for i in chosen]
    return difference(
        np.concatenate([exact.golden, *exact.trials]), np.concatenate([moved.golden, *same])
    )
