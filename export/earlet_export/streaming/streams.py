"""Makes and proves the streaming graphs of an export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from earlet.errors import ParityError
from earlet.streaming import State, StreamGraph, Streaming
from earlet_export.answers import Run, Scale
from earlet_export.material import Material
from earlet_export.streaming.prove import (
    PROOF_S,
    Chunks,
    StreamCost,
    StreamRung,
    prove_stream,
    stream_costs,
)
from earlet_export.streaming.twin import Schedule, Twin

Array = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class StreamsFound:
    """What was found of an export's streams, for the report.

    `hop_s`: from one verdict to the next; `warmup_s`: sound until the first one; `sound_s`: real
    sound that the `rungs` were proven on; `state_bytes`: memory of one sound.
    """

    hop_s: float
    warmup_s: float
    sound_s: float
    rungs: Mapping[str, StreamRung]
    costs: tuple[StreamCost, ...]
    state_bytes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Streams:
    """The streaming graphs by precision, what each keeps, and what was found of them."""

    schedule: Schedule
    graphs: Mapping[str, onnx.ModelProto]
    states: Mapping[str, tuple[State, ...]]
    found: StreamsFound

    def contract(self) -> Streaming:
        """The manifest's part, hashes and sizes still open."""
        return Streaming(
            chunk_samples=self.schedule.chunk_samples,
            lead_samples=self.schedule.lead_samples,
            warmup_chunks=self.schedule.warmup_chunks,
            graphs={
                precision: StreamGraph(
                    file=f"{precision}.stream.onnx",
                    sha256="",
                    size_bytes=0,
                    states=self.states[precision],
                    max_abs_logit=rung.max_abs_logit,
                    windows=rung.windows,
                )
                for precision, rung in self.found.rungs.items()
            },
        )


def make_streams(
    twin: Twin,
    models: Mapping[str, onnx.ModelProto],
    offline: Mapping[str, Run],
    material: Material,
    *,
    scale: Scale,
    sample_rate_hz: int,
    promised: float,
    on_step: Callable[[str], None] = lambda _: None,
) -> Streams:
    """The network's twin, its model graphs by precision and the joined offline graphs -> its
    streams, proven window by window on real sound.

    `models`: in float, and int8 as `annotated`. `promised`: the largest |logit| difference. Raises
    ParityError where a stream strays farther from its offline graph.
    """
    window = scale.window.window_samples
    sound = _long(material, samples=int(PROOF_S * sample_rate_hz) + window)
    graphs: dict[str, onnx.ModelProto] = {}
    states: dict[str, tuple[State, ...]] = {}
    chunks: dict[str, Chunks] = {}
    rungs: dict[str, StreamRung] = {}
    classes = offline["fp32"](sound[None, :window]).shape[1]
    for precision, model in models.items():
        on_step(f"proving that {precision} streams as it judges windows")
        source = f"the streaming {precision} graph"
        graphs[precision], states[precision] = twin.graph(model)
        chunks[precision] = Chunks(
            graphs[precision],
            states[precision],
            schedule=twin.schedule,
            classes=classes,
            source=source,
        )
        rung = rungs[precision] = prove_stream(
            chunks[precision],
            offline[precision],
            sound,
            window_samples=window,
            scale=scale,
            source=source,
        )
        if rung.max_abs_logit > promised:
            raise ParityError(
                f"{source} is {rung.max_abs_logit:.3g} away from the offline graph on one of "
                f"{rung.windows} windows, promised is {promised:.3g}. No bundle was written. "
                'Loosen [promises] stream_max_abs_logit in the recipe, or set stream = "window" '
                "in its [export]."
            )
    costs = stream_costs(
        {name: offline[name] for name in models},
        chunks,
        sound,
        window_samples=window,
        sample_rate_hz=sample_rate_hz,
    )
    schedule = twin.schedule
    heard = (schedule.warmup_chunks + 1) * schedule.chunk_samples - schedule.lead_samples
    found = StreamsFound(
        hop_s=schedule.chunk_samples / sample_rate_hz,
        warmup_s=heard / sample_rate_hz,
        sound_s=len(sound) / sample_rate_hz,
        rungs=rungs,
        costs=costs,
        state_bytes={name: one.state_bytes for name, one in chunks.items()},
    )
    return Streams(schedule=schedule, graphs=graphs, states=states, found=found)


def _long(material: Material, *, samples: int) -> Array:
    """Dev recordings one after the other, as many as it takes, over again where there are few."""
    pieces: list[Array] = []
    while sum(map(len, pieces)) < samples:
        for trial in material.trials:
            pieces += list(trial.windows)
            if sum(map(len, pieces)) >= samples:
                break
    return np.concatenate(pieces)[:samples]
