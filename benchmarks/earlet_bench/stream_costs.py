"""What streams cost: one beside windows computed anew, and many at once."""

import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from earlet.detector import Detector
from earlet.resample import Waveform
from earlet.stream_engine import Kind
from earlet.streaming import Streaming
from earlet.timing import interleave, ratio
from earlet.verdict import Verdict
from earlet_bench.latency import Budget
from earlet_bench.stream_agreement import pieces
from earlet_bench.stream_memory import resident_bytes
from earlet_bench.stream_rows import Company, Cost

# Chunks in a round. A stream's first half dozen pay for what the windows before them drove out of
# the processor's cache: up to three times the work of its Python.
_CHUNKS = {"window": 8, "stream": 64, "graph": 64}
_STREAMS = 64
# What each of them hears after its first verdict.
_CHUNKS_IN_COMPANY = 24


def costs(
    detectors: Mapping[str, Detector], streaming: Streaming, sound: Waveform, *, budget: Budget
) -> dict[str, Cost]:
    """By precision, the public Stream of both kinds side by side -> costs by candidate.

    Every candidate hears chunks of the same sound [T], over again where it ends, long after its
    first verdict. The graphs of the streams alone are timed in the same run.
    """
    chunk = streaming.chunk_samples
    calls: dict[str, Callable[[], object]] = {}
    for precision, detector in detectors.items():
        calls[f"{precision} window"] = _hearing(detector, "window", sound, chunk)
        if detector.stream_session is not None:
            calls[f"{precision} stream"] = _hearing(detector, "exact", sound, chunk)
            calls[f"{precision} graph"] = _running(detector)
    rounds = budget.rounds_of(_seconds(calls))
    times = interleave(calls, rounds=rounds)
    first = times[f"{next(iter(detectors))} window"]
    hop_s = chunk / next(iter(detectors.values())).manifest.sample_rate_hz
    found = {}
    for name, timing in times.items():
        precision, what = name.split()
        if what == "graph":
            continue
        graph = times.get(f"{precision} graph") if what == "stream" else None
        found[name] = Cost(
            candidate=name,
            rounds=rounds,
            cpu_ms_per_s=float(np.median(timing.cpu_ms)) / (_CHUNKS[what] * hop_s),
            ratio=ratio(timing, first) * _CHUNKS["window"] / _CHUNKS[what],
            graph_share=None if graph is None else ratio(graph, timing),
        )
    return found


def company(detector: Detector, streaming: Streaming, sound: Waveform) -> Company:
    """Many streams at once, each with its own part of a sound [T]; then each of them alone."""
    chunk, rate_hz = streaming.chunk_samples, detector.manifest.sample_rate_hz
    steps = streaming.warmup_chunks + 1 + _CHUNKS_IN_COMPANY
    # Each begins somewhere else in the sound, and goes on at its beginning.
    around = np.concatenate([sound, sound])
    while len(around) < len(sound) + steps * chunk:
        around = np.concatenate([around, sound])
    begins = [len(sound) * k // _STREAMS for k in range(_STREAMS)]
    parts = [list(pieces(around[b : b + steps * chunk], chunk)) for b in begins]
    before = resident_bytes()
    streams = detector.streams(_STREAMS, kind="exact")
    told: list[list[Verdict]] = [[] for _ in parts]
    began = time.process_time()
    for step in range(steps):
        arrived = {source: part[step] for source, part in enumerate(parts)}
        for source, verdict in streams.accept(arrived, rate_hz):
            told[source].append(verdict)
    spent_s = time.process_time() - began
    after = resident_bytes()
    sound_s = steps * chunk / rate_hz
    return Company(
        streams=_STREAMS,
        sound_s=sound_s,
        share=spent_s / sound_s,
        identical=all(told) and told == [_alone(detector, part) for part in parts],
        state_bytes=streams[0].state_bytes,
        resident_bytes=(
            None if before is None or after is None else max(0, after - before) // _STREAMS
        ),
    )


def _alone(detector: Detector, part: list[Waveform]) -> list[Verdict]:
    stream = detector.stream(kind="exact")
    rate_hz = detector.manifest.sample_rate_hz
    return [verdict for piece in part for verdict in stream.accept(piece, rate_hz)]


def _hearing(detector: Detector, kind: Kind, sound: Waveform, chunk: int) -> Callable[[], object]:
    """A call that gives a stream, past its first verdict, the next chunks."""
    stream, rate_hz = detector.stream(kind=kind), detector.manifest.sample_rate_hz
    following = _endless(sound, chunk)
    while stream.latest is None:
        stream.accept(next(following), rate_hz)

    chunks = _CHUNKS["window" if kind == "window" else "stream"]

    def hear() -> None:
        for _ in range(chunks):
            stream.accept(next(following), rate_hz)

    return hear


def _running(detector: Detector) -> Callable[[], object]:
    """A call that runs the streaming graph alone, on the same noise again and again."""
    session = detector.stream_session
    assert session is not None
    buffers = session.buffers()
    buffers.waveform[:] = np.random.default_rng(0).uniform(-0.1, 0.1, buffers.waveform.shape)

    def run() -> None:
        for _ in range(_CHUNKS["graph"]):
            buffers.run([0])

    return run


def _endless(sound: Waveform, chunk: int) -> Iterator[Waveform]:
    while True:
        for start in range(0, len(sound) - chunk + 1, chunk):
            yield sound[start : start + chunk]


def _seconds(calls: Mapping[str, Callable[[], object]]) -> float:
    began = time.perf_counter()
    for call in calls.values():
        call()
    return time.perf_counter() - began
