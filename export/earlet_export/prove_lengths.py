"""Proves graphs of open length at other lengths: the shortest, an odd one, a window, several.

A size that the code fixed, an uneven border, a padding that only a whole window has: such faults
show at one length and hide at the next. So every length is asked by itself, each sound alone and
three in a batch, at the seam and at the end, against PyTorch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from earlet.errors import ParityError
from earlet.golden import signals
from earlet.manifest import WindowPolicy
from earlet_export.answers import Answer, Array, Run, spaced
from earlet_export.difference import Difference, Gap
from earlet_export.exact import Original, as_trained
from earlet_export.lengths import lengths_to_try
from earlet_export.material import ProofTrial
from earlet_export.prove import Promises, refuse_not_finite
from earlet_export.run import Runner
from earlet_export.seam import up_to_features
from earlet_train.network import Network
from earlet_train.recipe import Recipe

# Of the golden signals: nothing, every frequency, clicks, noise, voices. Recordings beside them.
GOLDEN = (
    *("silence", "square sweep up", "click train"),
    *("noise at -20 dB", "low voice", "high voice, breathy"),
)
RECORDINGS = 3
BATCH = 3


@dataclass(frozen=True, kw_only=True)
class Apart:
    """One graph at one length against PyTorch, each sound alone and `BATCH` at once."""

    features: Difference
    logits: Difference


@dataclass(frozen=True, kw_only=True)
class AtLength:
    """What was found at one length. `name`: in words; `graphs`: by precision."""

    name: str
    samples: int
    frames: int
    signals: int
    graphs: Mapping[str, Apart]


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenGraph:
    """A graph of open length, [B, T] -> features [B, C, F, N] and -> logits [B, K]."""

    features: Callable[[Array], Array]
    logits: Run


def kept_lengths(
    network: Network,
    graphs: Mapping[str, onnx.ModelProto],
    *,
    recipe: Recipe,
    trials: Sequence[ProofTrial],
    least: int,
) -> tuple[AtLength, ...]:
    """Joined graphs by precision -> what they do from `least` samples on.

    Raises ParityError where a promise of the recipe does not hold at some length.
    """
    found = prove_lengths(
        as_trained(network),
        open_graphs(graphs),
        lengths=lengths_to_try(least, recipe.data.window_samples),
        trials=trials,
        sample_rate_hz=recipe.data.sample_rate_hz,
    )
    broken = broken_lengths(found, promises=recipe.promises)
    if broken:
        raise ParityError(
            f"{'; '.join(broken)}. No bundle was written. Look for a size that the network takes "
            "from one window, export with --length window, or loosen [promises] in the recipe."
        )
    return found


def open_graphs(graphs: Mapping[str, onnx.ModelProto]) -> dict[str, OpenGraph]:
    """Joined graphs by precision -> the same, ready to be asked."""
    return {
        name: OpenGraph(
            features=Runner.of(up_to_features(graph, source=f"the {name} graph")),
            logits=Runner.of(graph),
        )
        for name, graph in graphs.items()
    }


def prove_lengths(
    torch: Original,
    graphs: Mapping[str, OpenGraph],
    *,
    lengths: Mapping[str, int],
    trials: Sequence[ProofTrial],
    sample_rate_hz: int,
) -> tuple[AtLength, ...]:
    """Every graph at each of the `lengths` (in words -> samples) against the original.

    `trials`: their sound, laid end to end and cut to length, is asked beside golden signals. Raises
    ParityError where a graph does not run, gives another shape, or a number that is not finite.
    """
    return tuple(
        _at(torch, graphs, name, sounds(samples, trials=trials, sample_rate_hz=sample_rate_hz))
        for name, samples in lengths.items()
    )


def broken_lengths(found: Sequence[AtLength], *, promises: Promises) -> tuple[str, ...]:
    """Promises that do not hold at some length, each with its numbers; empty where all do.

    They are those of a window: on the features of every graph, and on the logits of fp32.
    """
    broken = []
    for at in found:
        where = f"at {at.samples} samples ({at.name})"
        for precision, apart in at.graphs.items():
            sqnr_db = apart.features.sqnr_db
            if sqnr_db is not None and sqnr_db < promises.features_min_sqnr_db:
                broken.append(
                    f"the frontend of the {precision} graph gives other features than the "
                    f"original's {where}: SQNR {sqnr_db:.1f} dB; promised: at least "
                    f"{promises.features_min_sqnr_db:g} dB"
                )
            moved = apart.logits.max_abs
            if precision == "fp32" and not moved <= promises.fp32_max_abs_logit:
                broken.append(
                    f"fp32 moves a logit by {moved:.3g} {where}; promised: at most "
                    f"{promises.fp32_max_abs_logit:.3g}"
                )
    return tuple(broken)


def sounds(samples: int, *, trials: Sequence[ProofTrial], sample_rate_hz: int) -> dict[str, Array]:
    """In words -> waveform [samples]: golden signals made for that length, and real sound."""
    whole = WindowPolicy(
        window_samples=samples, hop_samples=samples, min_samples=samples, short="reject"
    )
    golden = signals(window=whole, sample_rate_hz=sample_rate_hz)
    chosen = {f"the golden signal {name!r}": golden[name] for name in GOLDEN}
    for i in spaced(len(trials), RECORDINGS):
        heard = trials[i].windows.ravel()
        chosen[trials[i].trial.file] = np.tile(heard, -(-samples // len(heard)))[:samples]
    return chosen


def _at(
    torch: Original, graphs: Mapping[str, OpenGraph], name: str, asked: Mapping[str, Array]
) -> AtLength:
    waves = np.stack(list(asked.values()))
    samples = waves.shape[1]
    where = f"on {samples} samples ({name})"
    features = _alone(torch.features, waves)
    refuse_not_finite(features, f"the PyTorch original {where}", "features")
    logits = _alone(torch.logits, waves)
    refuse_not_finite(logits, f"the PyTorch original {where}")
    found = {}
    for precision, graph in graphs.items():
        who = f"the {precision} graph {where}"
        found[precision] = Apart(
            features=_apart(graph.features, waves, features, who, "features"),
            logits=_apart(graph.logits, waves, logits, who, "logits"),
        )
    return AtLength(
        name=name,
        samples=samples,
        frames=features.shape[-1],
        signals=len(waves),
        graphs=found,
    )


def _apart(run: Run, waves: Array, wanted: Answer, who: str, what: str) -> Difference:
    """Alone, then in batches; the last of these filled up from the front."""
    gap = Gap()
    indices = np.arange(-(-len(waves) // BATCH) * BATCH) % len(waves)
    for rows in (*np.arange(len(waves))[:, None], *indices.reshape(-1, BATCH)):
        try:
            answer = run(waves[rows])
        # onnxruntime's own exceptions share no base below Exception.
        except Exception as error:
            raise ParityError(
                f"{who}, {len(rows)} at once, does not run: {str(error).strip().splitlines()[0]}. "
                "Somewhere the network fixes a size that follows from the length: export with "
                "--length window."
            ) from error
        refuse_not_finite(answer, who, what)
        if answer.shape != wanted[rows].shape:
            raise ParityError(
                f"{who} gives {what} of shape {list(answer.shape)}, the PyTorch original "
                f"{list(wanted[rows].shape)}. Somewhere the network fixes a size that follows from "
                "the length: export with --length window."
            )
        gap.add(wanted[rows], answer)
    return gap.difference()


def _alone(run: Callable[[Array], Answer], waves: Array) -> Answer:
    return np.concatenate([run(waves[i : i + 1]) for i in range(len(waves))])
