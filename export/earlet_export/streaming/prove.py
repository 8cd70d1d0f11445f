"""Holds a streaming graph against the offline graph, window by window, run as the runtime does."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from earlet.errors import ParityError
from earlet.replay_stream import window_logits
from earlet.stream_session import StreamSession
from earlet.streaming import State
from earlet.timing import interleave, ratio
from earlet_export.answers import Run, Scale
from earlet_export.streaming.twin import Schedule

Array = NDArray[np.float32]

# Enough to pass every state many times over.
PROOF_S = 64.0
ROUNDS = 30
# A chunk is too short to be timed alone.
_CHUNKS_A_ROUND = 8


@dataclass(frozen=True, kw_only=True)
class StreamRung:
    """What a streaming graph did beside the offline graph of its precision, on real sound.

    `max_abs_logit`: over all `windows`; `identical`: how many had the very bits; `flips`: how many
    would be judged otherwise.
    """

    windows: int
    max_abs_logit: float
    identical: int
    flips: int


@dataclass(frozen=True, kw_only=True)
class StreamCost:
    """One way of getting a verdict at every chunk: `fp32 window`, `int8 stream`, ...

    `cpu_ms_per_s`: processor time for a second of sound, one thread; `ratio`: to `fp32 window`, the
    median over rounds of one interleaved run.
    """

    candidate: str
    cpu_ms_per_s: float
    ratio: float


class Chunks:
    """One sound through a streaming graph, chunk by chunk, as the runtime does it."""

    def __init__(
        self,
        graph: onnx.ModelProto,
        states: tuple[State, ...],
        *,
        schedule: Schedule,
        classes: int,
        source: str,
    ) -> None:
        self.schedule = schedule
        self._session = StreamSession(
            graph.SerializeToString(),
            source=source,
            states=states,
            chunk_samples=schedule.chunk_samples,
            classes=classes,
        )
        self._buffers = self._session.buffers()

    @property
    def state_bytes(self) -> int:
        """Memory of one sound."""
        return self._buffers.bytes_each

    def next(self, chunk: Array) -> None:
        """One more chunk [chunk_samples], for the time that it takes."""
        self._buffers.waveform[0] = chunk
        self._buffers.run([0])

    def windows(self, sound: Array) -> Array:
        """Sound [T] from its beginning -> logits [S, K] of its windows at 0, chunk, 2 chunk, ..."""
        return window_logits(
            self._session,
            sound,
            lead_samples=self.schedule.lead_samples,
            warmup_chunks=self.schedule.warmup_chunks,
        )


def prove_stream(
    chunks: Chunks, offline: Run, sound: Array, *, window_samples: int, scale: Scale, source: str
) -> StreamRung:
    """A streaming graph beside the offline one on a real sound [T], window by window.

    Raises ParityError where an answer is not finite, or the sound too short to prove anything.
    """
    hop = chunks.schedule.chunk_samples
    starts = range(0, len(sound) - window_samples + 1, hop)
    if len(starts) <= chunks.schedule.warmup_chunks:
        raise ParityError(
            f"{len(sound)} samples of real sound are too few to prove a stream whose windows have "
            f"{window_samples}: export with more recordings."
        )
    wanted = np.concatenate([offline(sound[None, at : at + window_samples]) for at in starts])
    found = chunks.windows(sound)[: len(wanted)]
    wanted = wanted[: len(found)]
    if not np.isfinite(found).all():
        raise ParityError(f"{source} answers with a number that is not finite on real sound.")
    distance = np.abs(found - wanted).max(axis=1)
    flips = [scale.window_scores(logits) >= scale.threshold for logits in (found, wanted)]
    return StreamRung(
        windows=len(found),
        max_abs_logit=float(distance.max()),
        identical=int((distance == 0).sum()),
        flips=int((flips[0] != flips[1]).sum()),
    )


def stream_costs(
    offline: Mapping[str, Run],
    chunks: Mapping[str, Chunks],
    sound: Array,
    *,
    window_samples: int,
    sample_rate_hz: int,
) -> tuple[StreamCost, ...]:
    """By precision, `fp32` among them: a window computed anew at each hop, and a chunk."""
    hop = next(iter(chunks.values())).schedule.chunk_samples
    window, chunk = sound[None, :window_samples], sound[:hop]

    def several(one: Chunks) -> None:
        for _ in range(_CHUNKS_A_ROUND):
            one.next(chunk)

    calls = {f"{name} window": (lambda run=run: run(window)) for name, run in offline.items()}
    calls |= {f"{name} stream": (lambda one=one: several(one)) for name, one in chunks.items()}
    times = interleave(calls, rounds=ROUNDS)
    costs = []
    for name, timing in times.items():
        runs = _CHUNKS_A_ROUND if name.endswith("stream") else 1
        costs.append(
            StreamCost(
                candidate=name,
                cpu_ms_per_s=float(np.median(timing.cpu_ms)) / runs * sample_rate_hz / hop,
                ratio=ratio(timing, times["fp32 window"]) / runs,
            )
        )
    return tuple(costs)
