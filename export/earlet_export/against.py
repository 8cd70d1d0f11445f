"""Holds a bundle that is already written against the checkpoint it says it came from.

`earlet verify` alone proves that a bundle is what its own golden answers say. Whoever forges the
graph can forge those too, and every hash with them; only the original itself cannot be made to
agree. So here everything is asked of it anew, and the recipe that it carries says what was
promised, not the bundle.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from earlet.against import Plan
from earlet.bad_recordings import Bad, Need, hear, refuse
from earlet.bundle import Bundle
from earlet.errors import CorpusError, ParityError
from earlet.golden import digest, signals
from earlet.manifest import Manifest, WindowPolicy
from earlet.metrics import EqualErrorRate
from earlet.protocol import read_protocol
from earlet_export.answers import Answers, Scale, ask, heard_windows, questions
from earlet_export.corpus import find_corpus
from earlet_export.exact import as_trained, in_float64
from earlet_export.ladder import Climber, Ladder, broken_features, climb
from earlet_export.ladder_page import (
    CONDITION_HEADER,
    DECISION_HEADER,
    DISTANCE_HEADER,
    condition_rows,
    decision_rows,
    distance_rows,
    float64_words,
)
from earlet_export.lengths import lengths_to_try
from earlet_export.lengths_page import LENGTH_HEADER, length_rows
from earlet_export.markdown import columns
from earlet_export.material import ProofTrial, choose
from earlet_export.pack import INT8_MARGIN
from earlet_export.prove import (
    Rung,
    broken_promises,
    check_finite,
    compare,
    difference,
    error_rate,
    rungs_data,
)
from earlet_export.prove_lengths import AtLength, OpenGraph, broken_lengths, prove_lengths
from earlet_export.run import Runner
from earlet_export.seam import up_to_features
from earlet_export.speed import one_thread
from earlet_train.checkpoint import Checkpoint, load_checkpoint
from earlet_train.recipe import Promises

# Another processor rounds otherwise, so the room that a manifest leaves may differ by this factor.
ROOM = 2.0


@dataclass(frozen=True, kw_only=True)
class Against:
    """The whole ladder of one bundle. `broken`: every promise and claim that does not hold.

    `proved_on`: recordings that its export was proved on, as the manifest says. `lengths`: empty
    where it takes windows alone.
    """

    checkpoint_sha256: str
    data: str
    split: str
    recordings: int
    proved_on: int
    left_out: tuple[str, ...]
    original_eer: EqualErrorRate
    ladder: Ladder
    rungs: Mapping[str, Rung]
    broken: tuple[str, ...]
    lengths: tuple[AtLength, ...] = ()

    def lines(self) -> list[str]:
        """For the terminal."""
        tables = [
            ("features", columns(DISTANCE_HEADER, distance_rows(self.ladder, depth="features"))),
            ("logits", columns(DISTANCE_HEADER, distance_rows(self.ladder, depth="logits"))),
            (
                "decisions",
                columns(
                    DECISION_HEADER,
                    decision_rows(self.ladder, self.rungs, original_eer=self.original_eer),
                ),
            ),
            ("levels, lengths and extremes", columns(CONDITION_HEADER, condition_rows(self.rungs))),
        ]
        if self.lengths:
            rows = columns(LENGTH_HEADER, length_rows(self.lengths))
            tables.append(("other lengths than one window", rows))
        lines = [
            f"against the checkpoint {self.checkpoint_sha256[:12]}, on {self.recordings} "
            f"recordings of {self.data} ({self.split} split):",
            float64_words(self.ladder),
        ]
        if self.recordings < self.proved_on:
            lines.append(
                f"The export was proved on {self.proved_on} recordings; on fewer, one decision is "
                "a larger share of them all."
            )
        for words, table in tables:
            lines += ["", f"{words}:", *(f"  {line}" for line in table)]
        lines.append("")
        if self.broken:
            return [*lines, *(f"BROKEN: {one}" for one in self.broken)]
        return [*lines, "every promise of the recipe is kept, and the manifest says what is true"]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self) | {"rungs": rungs_data(self.rungs)}


def climb_bundle(bundle: Bundle, checkpoint: Path, plan: Plan) -> Against:
    """The files of the bundle, not a new export, against the network of the checkpoint.

    Raises BundleError on a damaged file, CorpusError on recordings that cannot be used,
    ParityError where a number is not finite or the two cannot be asked the same.
    """
    with one_thread():
        return _climb(bundle, load_checkpoint(checkpoint), checkpoint, plan)


def _climb(bundle: Bundle, checkpoint: Checkpoint, path: Path, plan: Plan) -> Against:
    recipe, origin, manifest = checkpoint.recipe, checkpoint.origin, bundle.manifest
    broken = contract_differences(manifest, checkpoint)
    _check_same_questions(manifest, checkpoint, broken)
    window, rate_hz = recipe.data.window, recipe.data.sample_rate_hz
    corpus = plan.data or find_corpus(origin.corpus, run=path)
    plan.on_step(f"reading recordings of {corpus}")
    trials, bad = proof_of(
        corpus,
        plan,
        window=window,
        sample_rate_hz=rate_hz,
        positive=recipe.positive,
        seed=recipe.seed,
    )
    asked = questions(signals(window=window, sample_rate_hz=rate_hz), trials, window=window)
    scale = Scale(
        positive=recipe.positive,
        positive_index=recipe.positive_index,
        calibration=origin.calibration,
        threshold=origin.threshold,
        window=window,
    )
    network = checkpoint.network()
    torch = as_trained(network)
    plan.on_step(f"asking the PyTorch original about {len(trials)} recordings")
    original = ask(torch.logits, asked)
    check_finite("the PyTorch original", original, asked)
    allowed = recipe.promises.fp32_max_abs_logit
    broken += golden_differences(bundle, original, window=window, rate_hz=rate_hz, allowed=allowed)
    original_eer = error_rate(original.trials, trials=trials, scale=scale)
    rungs, climbers, opened = {}, {}, {}
    for precision in plan.precisions:
        plan.on_step(f"asking the {precision} graph")
        data, _ = bundle.graph(precision)
        session = bundle.session_of(data, precision=precision, threads=plan.threads)
        answers = ask(session.logits, asked)
        rung = rungs[precision] = compare(precision, answers, original, asked=asked, scale=scale)
        broken += broken_promises(rung, original_eer=original_eer.eer, promises=recipe.promises)
        broken += too_much_room(manifest, rung, recipe.promises)
        graph = onnx.load_model_from_string(data)
        features = Runner.of(up_to_features(graph, source=session.source))
        climbers[precision] = Climber(features=features, answers=answers)
        opened[precision] = OpenGraph(features=features, logits=session.logits)
    lengths: tuple[AtLength, ...] = ()
    if manifest.any_length_from_samples is not None:
        plan.on_step("asking at other lengths than one window")
        lengths = prove_lengths(
            torch,
            opened,
            lengths=lengths_to_try(manifest.any_length_from_samples, window.window_samples),
            trials=trials,
            sample_rate_hz=rate_hz,
        )
        broken += broken_lengths(lengths, promises=recipe.promises)
    plan.on_step("comparing features, and asking the original in float64")
    ladder = climb(
        asked,
        torch=torch,
        float64=in_float64(network, next(iter(asked.golden.values()))),
        original=original,
        graphs=climbers,
        scale=scale,
    )
    broken += broken_features(ladder, promises=recipe.promises)
    return Against(
        checkpoint_sha256=checkpoint.sha256,
        data=corpus.resolve().name,
        split=plan.split,
        recordings=len(trials),
        proved_on=max(graph.decisions for graph in manifest.graphs.values()),
        left_out=tuple(str(one.trial.file) for one in bad),
        original_eer=original_eer,
        ladder=ladder,
        rungs=rungs,
        broken=tuple(broken),
        lengths=lengths,
    )


def contract_differences(manifest: Manifest, checkpoint: Checkpoint) -> list[str]:
    """What a bundle says of itself and its checkpoint says otherwise, a sentence each."""
    recipe, origin = checkpoint.recipe, checkpoint.origin
    said: dict[str, tuple[object, object]] = {
        "checkpoint": (manifest.provenance.checkpoint_sha256, checkpoint.sha256),
        "recipe": (manifest.provenance.recipe, recipe.text),
        "labels, in the order of the logits": (manifest.labels, recipe.labels),
        "positive label": (manifest.positive, recipe.positive),
        "sample rate": (manifest.sample_rate_hz, recipe.data.sample_rate_hz),
        "window policy": (manifest.window, recipe.data.window),
        "calibration": (manifest.calibration, origin.calibration),
        "threshold": (manifest.threshold, origin.threshold),
        "operating point": (manifest.operating_point, origin.operating_point),
    }
    return [
        f"the manifest's {what} is not the checkpoint's"
        + ("" if what == "recipe" else f": it says {ours}, the checkpoint {theirs}")
        for what, (ours, theirs) in said.items()
        if ours != theirs
    ]


def proof_of(
    corpus: Path,
    plan: Plan,
    *,
    window: WindowPolicy,
    sample_rate_hz: int,
    positive: str,
    seed: int,
) -> tuple[list[ProofTrial], list[Bad]]:
    """The recordings to prove on, and those left out. Raises CorpusError."""
    need = Need.of(window, sample_rate_hz=sample_rate_hz)
    chosen = choose(read_protocol(corpus, plan.split), plan.limit, np.random.default_rng(seed))
    trials, bad = [], []
    for trial in chosen:
        heard = hear(trial, need)
        if isinstance(heard, Bad):
            bad.append(heard)
        else:
            windows = heard_windows(heard, window)
            trials.append(ProofTrial(trial=trial, windows=windows))
    if not plan.skip_bad:
        refuse(bad, of=len(chosen), corpus=corpus)
    positives = sum(one.trial.key == positive for one in trials)
    if positives in (0, len(trials)):
        raise CorpusError(
            f"of {len(trials)} recordings of the {plan.split} split of {corpus}, {positives} are "
            f"labelled {positive!r}, and an equal error rate needs some that are and some "
            "that are not. Point --data at a whole corpus, or take more with --limit."
        )
    return trials, bad


def _check_same_questions(
    manifest: Manifest, checkpoint: Checkpoint, broken: Sequence[str]
) -> None:
    """Raise ParityError where the two do not take the same windows or give as many logits."""
    data = checkpoint.recipe.data
    if (
        manifest.sample_rate_hz != data.sample_rate_hz
        or manifest.window != data.window
        or len(manifest.labels) != len(checkpoint.recipe.labels)
    ):
        raise ParityError(
            f"{'; '.join(broken)}. So the two cannot be asked the same. Give the checkpoint that "
            "this bundle was exported from."
        )


def golden_differences(
    bundle: Bundle, original: Answers, *, window: WindowPolicy, rate_hz: int, allowed: float
) -> list[str]:
    """Whether the golden answers that `earlet verify` trusts are this original's.

    `allowed`: between logits of the same model on two machines.
    """
    record, waves = bundle.golden(), signals(window=window, sample_rate_hz=rate_hz)
    if record.names != tuple(waves) or record.signals_sha256 != digest(waves):
        return ["the golden record is about other signals than this earlet makes"]
    if record.logits.shape != original.golden.shape:
        return [f"the golden record holds logits {record.logits.shape}, not the original's"]
    apart = difference(original.golden, record.logits)
    # Written so that NaN does not pass for close.
    if apart.max_abs <= allowed:
        return []
    return [
        f"the golden answers are not the original's: a logit is {apart.max_abs:.3g} away, and "
        f"{allowed:.3g} is allowed for another machine's rounding"
    ]


def too_much_room(manifest: Manifest, rung: Rung, promises: Promises) -> list[str]:
    """Whether the manifest lets a graph stray farther from its golden answers than it does."""
    allowed = manifest.golden.tolerances.get(rung.precision)
    room = promises.fp32_max_abs_logit
    if rung.precision != "fp32":
        room = ROOM * (INT8_MARGIN * rung.golden.max_abs + promises.fp32_max_abs_logit)
    if allowed is None or allowed <= room:
        return []
    return [
        f"the manifest lets the {rung.precision} graph stray by {allowed:.3g} on golden signals, "
        f"where {room:.3g} would do: earlet verify would overlook what lies between"
    ]
