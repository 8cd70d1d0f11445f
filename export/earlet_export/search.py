"""Looks for the fastest int8 graph that keeps its recipe's promise.

Tried in this order, and no further than needed: everything in int8, calibrated as the recipe says;
the same with its biases corrected (`earlet_export.bias_correction`), as is all that follows unless
that did more harm; calibrated otherwise; the first layer, the last block, or both in float; and the
layers that hurt the decision most in float, one, two, four, ... of them, then as few as will do.
Where all of that breaks the promise, ranges learned without quiet recordings, and again the worst
layers.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import onnx

from earlet_export.calibrate import LAST_RESORT, METHODS, Method, Ranges
from earlet_export.macs import layer_macs
from earlet_export.quantize import Array, annotated, layers, quantize
from earlet_export.sensitivity import Damage
from earlet_export.speed import Speed

# Ranges, what stays in float -> the bias of each layer.
Correct = Callable[[Ranges, Sequence[str]], Mapping[str, Array]]
# With more of the work than this back in float there is no int8 graph left worth the name.
MOST_IN_FLOAT = 0.5
# A graph with more in float is taken only where it is faster by more than noise: so that the same
# checkpoint gives the same graph on the next export.
CLEARLY_FASTER = 0.95


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a graph does to the decisions; `broken`: the promises it does not keep, in words."""

    eer: float
    flips: int
    decisions: int
    max_abs_logit: float
    broken: tuple[str, ...]

    def badness(self, original_eer: float) -> float:
        """For choosing among those that break a promise: decisions changed plus EER lost.

        An EER below the original's makes up for no decision: such luck does not last.
        """
        return self.flips / max(1, self.decisions) + max(0.0, self.eer - original_eer)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One int8 graph. `kept_float`: the nodes that the recipe excludes, then those put back.

    `corrected`: whether its biases are (`earlet_export.bias_correction`).
    `speed`: None until everything that was tried is timed together, which happens where more than
    one graph was tried.
    """

    name: str
    method: Method
    corrected: bool
    clips: int
    kept_float: tuple[str, ...]
    float_share: float
    judged: Judged
    model_bytes: int
    speed: Speed | None = None

    @property
    def holds(self) -> bool:
        """Whether it keeps every promise."""
        return not self.judged.broken


@dataclass(frozen=True, kw_only=True)
class Int8:
    """The int8 graph that was settled on, and what else was tried.

    `annotated`: makes the same graph as the quantizer left it (`earlet_export.quantize`).
    """

    model: onnx.ModelProto
    annotated: Callable[[], onnx.ModelProto]
    chosen: Tried
    tried: tuple[Tried, ...]
    ranking: tuple[Damage, ...]
    fp32_speed: Speed | None = None

    @property
    def kept_float(self) -> tuple[str, ...]:
        """Nodes in float by the recipe's wish, or put back."""
        return self.chosen.kept_float


def settle(
    model: onnx.ModelProto,
    *,
    observe: Callable[[Method], Ranges],
    correct: Correct,
    judge: Callable[[onnx.ModelProto], Judged],
    rank: Callable[[Ranges], list[Damage]],
    time: Callable[[Mapping[str, onnx.ModelProto]], Mapping[str, Speed]],
    original_eer: float,
    method: Method = "minmax",
    exclude: Sequence[str] = (),
    macs: Mapping[str, int] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Int8:
    """Model graph -> the fastest int8 graph that keeps the promise.

    `observe` learns ranges by a method; `correct` finds biases for ranges and the names of what
    stays in float; `judge` holds a graph against the promise; `rank` orders
    the layers, the worst first; `time` measures graphs side by side, the float one as `fp32`. The
    last two are asked only where plain int8 breaks the promise. Where nothing keeps it, the graph
    that does least harm comes back, its promise broken. Nodes in `exclude` are in float from the
    start. `macs`: the work of each layer, where the graph's sizes do not tell it. `tell` hears what
    came of each graph, from the first broken promise on.
    """
    macs = layer_macs(model) if macs is None else macs
    search = _Search(
        model,
        observe=observe,
        correct=correct,
        judge=judge,
        exclude=exclude,
        macs=macs,
        tell=tell,
        original_eer=original_eer,
        method=method,
    )
    for corrected in (False, True):
        search.corrected = corrected
        if search.tries(search.named(method), method).holds:
            return search.found(ranking=(), speeds={})
    plain, better = (tried.judged.badness(original_eer) for tried in search.tried)
    search.corrected = better <= plain
    for other in METHODS:
        if other not in (method, LAST_RESORT):
            search.tries(search.named(other), other)
    ranking: list[Damage] = []
    if not search.holders:
        best = search.least_bad().method
        tell("ranking the layers by their damage to decisions")
        ranking = rank(search.ranges(best))
        search.groups(best)
        search.worst_first(best, [damage.layer for damage in ranking])
    if not search.holders and method != LAST_RESORT:
        search.tries(search.named(LAST_RESORT), LAST_RESORT)
    if not search.holders and method != LAST_RESORT:
        ranking = rank(search.ranges(LAST_RESORT))
        search.worst_first(LAST_RESORT, [damage.layer for damage in ranking])
    tell(f"timing {len(search.tried)} int8 graphs beside fp32")
    speeds = time({"fp32": model} | search.models)
    return search.found(ranking=tuple(ranking), speeds=speeds)


class _Search:
    """What was tried so far. `corrected`: whether the biases of what is tried next are.

    `method`: the recipe's, which names leave out.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        *,
        observe: Callable[[Method], Ranges],
        correct: Correct,
        judge: Callable[[onnx.ModelProto], Judged],
        exclude: Sequence[str],
        macs: Mapping[str, int],
        tell: Callable[[str], None],
        original_eer: float,
        method: Method,
    ) -> None:
        self.model, self.judge, self.exclude = model, judge, tuple(exclude)
        self.method, self.corrected = method, False
        self.tell, self.correct, self.original_eer = tell, correct, original_eer
        self._observe, self._ranges = observe, dict[Method, Ranges]()
        total = max(1, sum(macs.values()))
        self.shares = {name: count / total for name, count in macs.items()}
        self.tried: list[Tried] = []
        self.models: dict[str, onnx.ModelProto] = {}
        self.biases: dict[str, Mapping[str, Array]] = {}

    @property
    def holders(self) -> list[Tried]:
        """Those that keep the promise."""
        return [tried for tried in self.tried if tried.holds]

    def least_bad(self) -> Tried:
        """The one that does least harm."""
        return min(self.tried, key=lambda tried: tried.judged.badness(self.original_eer))

    def ranges(self, method: Method) -> Ranges:
        """Learned once for each method."""
        if method not in self._ranges:
            self._ranges[method] = self._observe(method)
        return self._ranges[method]

    def share(self, names: Sequence[str]) -> float:
        """Of the multiplications, in 0..1."""
        return sum(self.shares.get(name, 0.0) for name in dict.fromkeys(names))

    def named(self, method: Method, rest: str = "") -> str:
        """What the page calls such a graph."""
        words = [
            "int8",
            *(["corrected"] if self.corrected else []),
            *([method] if method != self.method else []),
            *([rest] if rest else []),
        ]
        return ", ".join(words)

    def tries(self, name: str, method: Method, put_back: Sequence[str] = ()) -> Tried:
        """Make the graph and judge it, unless the same one was made before."""
        corrected = self.corrected
        kept = tuple(dict.fromkeys((*self.exclude, *put_back)))
        for before in self.tried:
            same = (before.method, before.corrected) == (method, corrected)
            if same and set(before.kept_float) == set(kept):
                return before
        ranges = self.ranges(method)
        biases = self.correct(ranges, kept) if corrected else {}
        graph = quantize(self.model, ranges, keep_float=kept, biases=biases)
        tried = Tried(
            name=name,
            method=method,
            corrected=corrected,
            clips=ranges.clips,
            kept_float=kept,
            float_share=self.share(kept),
            judged=self.judge(graph),
            model_bytes=graph.ByteSize(),
        )
        self.tried.append(tried)
        self.models[name], self.biases[name] = graph, biases
        if not tried.holds or len(self.tried) > 1:
            self.tell(f"{name}: {'; '.join(tried.judged.broken) or 'keeps its promise'}")
        return tried

    def groups(self, method: Method) -> None:
        """Parts that are known for needing float: where the sound comes in, where the answer is."""
        order = [name for name in layers(self.model) if name not in self.exclude]
        if not order:
            return
        first = order[:1]
        last = [name for name in order if _block(name) == _block(order[-1])]
        for name, group in (
            ("first layer", first),
            ("last block", last),
            ("first layer and last block", first + last),
        ):
            if self.share(group) <= MOST_IN_FLOAT:
                self.tries(self.named(method, f"{name} in float"), method, group)

    def worst_first(self, method: Method, ranked: Sequence[str]) -> None:
        """Put 1, 2, 4, ... of the worst back until the promise holds; then seek the fewest."""
        most = 0
        while most < len(ranked) and self.share(ranked[: most + 1]) <= MOST_IN_FLOAT:
            most += 1
        misses, count = 0, min(1, most)
        while 0 < count <= most:
            if self._worst(method, ranked[:count]).holds:
                break
            misses, count = count, min(2 * count, most) if count < most else most + 1
        else:
            return
        holds = count
        while holds - misses > 1:
            middle = (holds + misses) // 2
            if self._worst(method, ranked[:middle]).holds:
                holds = middle
            else:
                misses = middle

    def found(self, *, ranking: tuple[Damage, ...], speeds: Mapping[str, Speed]) -> Int8:
        """The fastest of those that hold; where none does, the one that does least harm."""
        timed = tuple(
            dataclasses.replace(tried, speed=speeds.get(tried.name)) for tried in self.tried
        )
        # A sort that is stable: among equals what was tried first, the simplest, comes first.
        holding = sorted((t for t in timed if t.holds), key=lambda tried: tried.float_share)
        chosen = holding[0] if holding else timed[self.tried.index(self.least_bad())]
        for tried in holding:
            if _clearly_faster(tried, chosen):
                chosen = tried
        return Int8(
            model=self.models[chosen.name],
            annotated=partial(
                annotated,
                self.model,
                self.ranges(chosen.method),
                keep_float=chosen.kept_float,
                biases=self.biases[chosen.name],
            ),
            chosen=chosen,
            tried=timed,
            ranking=ranking,
            fp32_speed=speeds.get("fp32"),
        )

    def _worst(self, method: Method, put_back: Sequence[str]) -> Tried:
        count = f"{len(put_back)} worst layer{'s' if len(put_back) > 1 else ''}"
        return self.tries(self.named(method, f"{count} in float"), method, put_back)


def _clearly_faster(one: Tried, other: Tried) -> bool:
    if one.speed is None or other.speed is None:
        return False
    return one.speed.ratio_to_fp32 < CLEARLY_FASTER * other.speed.ratio_to_fp32


def _block(node: str) -> str:
    """`model/blocks.2.main.4/Conv` -> `blocks.2`: the module that a reader would call a block."""
    path = node.split("/")[1].split(".")
    return ".".join(path[:2] if len(path) > 1 and path[1].isdigit() else path[:1])
