"""The int8 graph of an export: calibrated on real sound, searched for until the promise holds."""

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from earlet_export.answers import Answers, Questions, Scale
from earlet_export.bias_correction import CORRECTION_CLIPS, corrected_biases
from earlet_export.calibrate import Array, Method, Ranges, observe
from earlet_export.join import join
from earlet_export.macs import layer_macs
from earlet_export.material import Material, at_three_levels
from earlet_export.prove import Rung
from earlet_export.quantize import nodes_of_modules
from earlet_export.run import Runner, one_by_one
from earlet_export.search import Int8, Judged, settle
from earlet_export.sensitivity import Damage, View, rank, telling
from earlet_export.speed import Speed, side_by_side
from earlet_export.trace import Traced
from earlet_train.recipe import Export

# Recordings that rank the layers where int8 breaks its promise: each layer is run on all of them.
RANKING_CLIPS = 24
# Graphs timed in one run, beside fp32.
AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """What taught int8 its ranges, for whoever wants to do it again.

    `files`: train recordings, one window of each; `windows_sha256`: of these windows, in this
    order, float32; `clips`: how many the method looked at, after `levels` were made of each.
    `corrected_by`: how many of them set the biases as well; 0: they are those of float.
    """

    method: str
    clips: int
    files: tuple[str, ...]
    windows_sha256: str
    levels: str
    corrected_by: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof:
    """What int8 is held against: the questions, the original's answers, and the promise.

    `rung` asks a joined graph; `broken` names the promises that its rung breaks, `original_eer` is
    what they count from.
    """

    asked: Questions
    original: Answers
    scale: Scale
    original_eer: float
    rung: Callable[[onnx.ModelProto], Rung]
    broken: Callable[[Rung], tuple[str, ...]]


def make_int8(
    traced: Traced,
    material: Material,
    proof: Proof,
    *,
    wanted: Export,
    on_step: Callable[[str], None] = lambda _: None,
) -> Int8:
    """The fastest int8 model graph that keeps the promise (`earlet_export.search`).

    `on_step` hears what comes of each graph where plain int8 breaks its promise.
    """
    frontend = Runner.of(traced.frontend)
    exclude = nodes_of_modules(traced.model, wanted.exclude)
    macs = layer_macs(traced.counted_model)
    windows = material.calibration

    def ranges(method: Method) -> Ranges:
        if method == "own-level":
            return observe(traced.model, (frontend(window[None]) for window in windows))
        clips = (frontend(clip) for clip in at_three_levels(windows))
        return observe(traced.model, clips, method=method)

    @functools.cache
    def few() -> list[Array]:
        return [frontend(window[None]) for window in _few(windows)]

    def correct(found: Ranges, kept: Sequence[str]) -> Mapping[str, Array]:
        return corrected_biases(traced.model, found, few(), keep_float=kept)

    def judge(model: onnx.ModelProto) -> Judged:
        rung = proof.rung(join(traced.frontend, model))
        return Judged(
            eer=rung.eer.eer,
            flips=rung.flips,
            decisions=rung.decisions,
            max_abs_logit=rung.max_abs_logit,
            broken=proof.broken(rung),
        )

    def ranking(ranges: Ranges) -> list[Damage]:
        return rank(traced.model, ranges, view(frontend, proof), exclude=exclude, macs=macs)

    def time(models: Mapping[str, onnx.ModelProto]) -> Mapping[str, Speed]:
        return _time(traced.frontend, models, windows[:1])

    return settle(
        traced.model,
        observe=ranges,
        correct=correct,
        judge=judge,
        rank=ranking,
        time=time,
        original_eer=proof.original_eer,
        method=wanted.calibration,
        exclude=exclude,
        macs=macs,
        tell=on_step,
    )


def _few(windows: Array) -> Array:
    """At most CORRECTION_CLIPS of the windows [N, T], evenly spaced."""
    return windows[:: -(-len(windows) // CORRECTION_CLIPS)]


def _time(
    frontend: onnx.ModelProto, models: Mapping[str, onnx.ModelProto], window: Array
) -> dict[str, Speed]:
    """Model graphs by name, `fp32` among them -> the speed of each, a few at a time beside fp32.

    (All at once would hold a dozen sessions in memory.)
    """
    others = [name for name in models if name != "fp32"]
    speeds: dict[str, Speed] = {}
    for start in range(0, len(others), AT_ONCE):
        names = ["fp32", *others[start : start + AT_ONCE]]
        runs = {name: Runner.of(join(frontend, models[name])) for name in names}
        # The first run's fp32 stands for all: what is compared are ratios within a run.
        speeds = side_by_side(runs, window) | speeds
    return speeds


def view(frontend: Runner, proof: Proof) -> View:
    """The windows that tell most: of each of the most telling recordings the nearest one."""
    scale, trials = proof.scale, proof.asked.trials
    is_positive = np.array([heard.trial.key == scale.positive for heard in trials])
    chosen = telling(
        scale.trial_scores(proof.original.trials),
        is_positive,
        threshold=scale.threshold,
        count=RANKING_CLIPS,
    )
    windows = []
    for i in chosen:
        margin = np.abs(scale.window_scores(proof.original.trials[i]) - scale.threshold)
        windows.append(trials[i].windows[int(margin.argmin())])
    return View(
        features=one_by_one(frontend, np.stack(windows)),
        is_positive=is_positive[chosen],
        threshold=scale.threshold,
        scores=scale.window_scores,
    )


def calibrated(int8: Int8, material: Material) -> Calibrated:
    """The record of what `int8` was calibrated with."""
    windows = np.ascontiguousarray(material.calibration, dtype="<f4")
    return Calibrated(
        method=int8.chosen.method,
        clips=int8.chosen.clips,
        files=material.calibration_files,
        windows_sha256=hashlib.sha256(windows.tobytes()).hexdigest(),
        levels=(
            "each window as it is"
            if int8.chosen.method == "own-level"
            else "each window as it is, 20 dB quieter, and in turn at full scale or 40 dB quieter"
        ),
        corrected_by=len(_few(windows)) if int8.chosen.corrected else 0,
    )
