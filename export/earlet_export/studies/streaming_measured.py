"""How equal a recipe's stream is to its windows, and what both cost: measured, weights untrained.

The same measurements as `earlet bench BUNDLE --stream`, through the runtime's public Stream.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from earlet.bundle import Bundle
from earlet.detector import Detector
from earlet_bench.latency import Budget
from earlet_bench.stream_agreement import agreement, cuts
from earlet_bench.stream_costs import company, costs
from earlet_bench.stream_rows import Agreement, Company, Cost, Cut
from earlet_bench.stream_sound import LEAST_S, LongSound, long_sound
from earlet_export.macs import layer_macs

PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What is asked. `data`: recordings to listen to; None: the golden signals.

    `budget`: of the timing alone, for each recipe.
    """

    data: Path | None = None
    budget: Budget = field(default_factory=lambda: Budget(rounds=60, seconds=60.0))
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Equal:
    """A precision's stream against its offline graph, in other pieces, and among many at once."""

    precision: str
    agreement: Agreement
    cuts: tuple[Cut, ...]
    company: Company


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One recipe. `sound`: what was heard, `real` where recorded, `sound_s` long.

    `stream_macs_per_s`, `window_macs_per_s`: multiplications, frontend included, for a second of
    sound with a verdict at every hop. `costs`: `fp32 window`, `fp32 stream`, `int8 window`, `int8
    stream`, interleaved in one run.
    """

    sound: str
    real: bool
    sound_s: float
    parameters: int
    stream_macs_per_s: float
    window_macs_per_s: float
    equal: tuple[Equal, ...]
    costs: tuple[Cost, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not hold, in words; empty where all did."""
        said = []
        for one in self.equal:
            if not one.agreement.passed or one.agreement.differ:
                said.append(f"the {one.precision} stream is not what its windows say")
            pieces = [cut.piece_samples for cut in one.cuts if not cut.identical]
            if pieces:
                said.append(
                    f"the {one.precision} stream's verdicts depend on the pieces (of "
                    f"{', '.join(map(str, pieces))} samples)"
                )
            if not one.company.identical:
                said.append(
                    f"{one.company.streams} {one.precision} streams at once answer otherwise than "
                    "each alone"
                )
        return tuple(said)

    def cost(self, candidate: str) -> Cost:
        """Of `fp32 window`, ..."""
        return next(cost for cost in self.costs if cost.candidate == candidate)


def measured(
    bundle: Bundle,
    *,
    parameters: int,
    plan: Measuring,
    on_step: Callable[[str], None] = lambda _: None,
) -> Measured:
    """A bundle with streams of both precisions -> what they do. One thread.

    Raises UsageError where `plan.data` holds too little sound, AudioError where it is no sound.
    """
    streaming = bundle.manifest.stream
    assert streaming is not None
    sound = _long_enough(long_sound(bundle.manifest, plan.data, seed=plan.seed))
    detectors = {name: Detector(bundle, precision=name) for name in PRECISIONS}
    on_step("what a second of sound costs")
    found = costs(detectors, streaming, sound.samples, budget=plan.budget)
    equal = []
    for name, detector in detectors.items():
        on_step(f"{name}, window by window, in other pieces, many at once")
        session = detector.stream_session
        assert session is not None
        equal.append(
            Equal(
                precision=name,
                agreement=agreement(detector, session, streaming, sound.samples),
                cuts=cuts(detector, streaming, sound.samples),
                company=company(detector, streaming, sound.samples),
            )
        )
    hop_s = streaming.chunk_samples / bundle.manifest.sample_rate_hz
    return Measured(
        sound=sound.name,
        real=sound.real,
        sound_s=sound.seconds,
        parameters=parameters,
        stream_macs_per_s=_macs(bundle.path / streaming.graphs["fp32"].file) / hop_s,
        window_macs_per_s=_macs(bundle.path / bundle.manifest.graphs["fp32"].file) / hop_s,
        equal=tuple(equal),
        costs=tuple(found.values()),
    )


def _long_enough(sound: LongSound) -> LongSound:
    """The golden signals of a short window, over again until they last."""
    times = int(-(-LEAST_S // sound.seconds))
    return dataclasses.replace(sound, samples=np.tile(sound.samples, times))


def _macs(graph: Path) -> int:
    return sum(layer_macs(onnx.load(graph)).values())
