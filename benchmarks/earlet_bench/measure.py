"""Measures one bundle on this machine: replay, latency, cold start, accuracy; a row per graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np

from earlet.accuracy import Accuracy, measure_accuracy
from earlet.bundle import SHIPPED, Bundle, sha256
from earlet.errors import UsageError
from earlet.golden import signals
from earlet.labelled import LabelledSet
from earlet.replay import Replay, replay_session
from earlet.session import Session
from earlet_bench.cold_start import cold_start, cold_start_of_original
from earlet_bench.device import Device
from earlet_bench.latency import Budget, Floats, Scorer, summarize, time_side_by_side
from earlet_bench.original import Original, load_original
from earlet_bench.progress import Progress, Silent
from earlet_bench.rows import ColdStart, Latency, Parity, Row
from earlet_bench.share import frontend_share

ORIGINAL = "original"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure. `threads`: each graph is measured with each number of them, in one run.

    `original`: the run folder of the network that the bundle was exported from. Accuracy is
    measured with the first number of threads: it does not depend on it.
    """

    threads: tuple[int, ...] = (1,)
    budget: Budget = field(default_factory=Budget)
    cold_starts: int = 3
    labelled: LabelledSet | None = None
    original: Path | None = None


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """One thing to measure: the original, or a graph on so many threads."""

    precision: str
    threads: int
    score: Scorer
    parity: Parity
    sha256: str
    size_bytes: int | None
    graph: bytes | None


def measure_bundle(
    bundle: Bundle, *, plan: Plan, device: Device, progress: Progress | None = None
) -> list[Row]:
    """Bundle -> a row per candidate, the original first. Raises BundleError on a damaged bundle.

    A failed golden replay raises nothing: the row says so, and the caller decides.
    """
    tell = progress or Silent()
    candidates = _candidates(bundle, plan, tell)
    first = [c for c in candidates if c.threads == plan.threads[0]]
    latencies = _latencies(bundle, candidates, plan, tell)
    starts = _cold_starts(bundle, first, plan, tell)
    accuracy = _accuracy(bundle, first, plan, tell)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        Row(
            created=created,
            device=device,
            bundle=bundle.manifest.name,
            version=bundle.manifest.version,
            bundle_sha256=sha256(bundle.manifest.to_json().encode()),
            shipped=bundle.path.is_relative_to(SHIPPED),
            sha256=candidate.sha256,
            precision=candidate.precision,
            threads=candidate.threads,
            size_bytes=candidate.size_bytes,
            parity=candidate.parity,
            latency=latency,
            cold_start=starts.get(candidate.precision),
            accuracy=accuracy.get(candidate.precision),
        )
        for candidate, latency in zip(candidates, latencies, strict=True)
    ]


def _candidates(bundle: Bundle, plan: Plan, tell: Progress) -> list[_Candidate]:
    """The original where there is one, then every graph on every number of threads, replayed."""
    record = bundle.golden()
    graphs = [
        (precision, threads)
        for precision in _ordered(bundle.precisions)
        for threads in plan.threads
    ]
    tell.stage(f"{bundle.manifest.name}: golden replay", len(graphs) + (plan.original is not None))
    found = []
    if plan.original is not None:
        found.append(_original(bundle, plan.original, threads=plan.threads[0]))
        tell.step()
    for precision, threads in graphs:
        data, digest = bundle.graph(precision)
        session = bundle.session_of(data, precision=precision, threads=threads)
        found.append(
            _Candidate(
                precision=precision,
                threads=threads,
                score=session.logits,
                parity=_parity(replay_session(session, bundle, precision=precision, record=record)),
                sha256=digest,
                size_bytes=len(data),
                graph=data,
            )
        )
        tell.step()
    return found


@dataclass(frozen=True, kw_only=True)
class _OriginalSession:
    """What the replay asks of a session: answers, and a name for its errors."""

    source: str
    original: Original

    def logits(self, windows: Floats) -> Floats:
        return self.original.logits(windows)


def _original(bundle: Bundle, run: Path, *, threads: int) -> _Candidate:
    """The PyTorch network, which must be the one that this bundle was exported from."""
    original = load_original(run, threads=threads)
    wanted = bundle.manifest.provenance.checkpoint_sha256
    if original.sha256 != wanted:
        raise UsageError(
            f"{run} holds the checkpoint {original.sha256[:12]}, and {bundle.manifest.name} was "
            f"exported from {wanted[:12]}. Give the run that it was exported from, or leave "
            "--original out"
        )
    session = _OriginalSession(source=f"the PyTorch original in {run.name}", original=original)
    # It must be at least as close to its own answers as the float graph has to be.
    tolerances = bundle.manifest.golden.tolerances
    strictest = min(tolerances, key=lambda precision: tolerances[precision])
    found = replay_session(
        cast(Session, session), bundle, precision=strictest, record=bundle.golden()
    )
    return _Candidate(
        precision=ORIGINAL,
        threads=threads,
        score=original.logits,
        parity=_parity(found),
        sha256=original.sha256,
        size_bytes=_size_of(run, original.sha256),
        graph=None,
    )


def _parity(found: Replay) -> Parity:
    return Parity(
        passed=found.ok,
        signals=found.signals,
        max_abs_logit=found.max_abs_logit if found.finite else None,
        tolerance=found.tolerance,
        flips=found.flips,
        decisions=found.signals,
    )


def _latencies(
    bundle: Bundle, candidates: Sequence[_Candidate], plan: Plan, tell: Progress
) -> list[Latency]:
    """All candidates in one interleaved run, on the golden signals in turn."""
    window, rate_hz = bundle.manifest.window, bundle.manifest.sample_rate_hz
    words = f"{bundle.manifest.name}: latency"
    windows = np.stack(list(signals(window=window, sample_rate_hz=rate_hz).values()))
    timings = time_side_by_side(
        {f"{c.precision} on {c.threads}": c.score for c in candidates},
        windows=windows,
        budget=plan.budget,
        on_start=lambda rounds: tell.stage(words, rounds),
        on_round=tell.step,
    )
    return [
        summarize(
            timings[f"{c.precision} on {c.threads}"],
            window_s=window.window_samples / rate_hz,
            fp32=timings.get(f"fp32 on {c.threads}"),
            original=timings.get(f"{ORIGINAL} on {c.threads}"),
            frontend_share=None
            if c.graph is None
            else frontend_share(c.graph, windows=windows, threads=c.threads),
        )
        for c in candidates
    ]


def _cold_starts(
    bundle: Bundle, candidates: Sequence[_Candidate], plan: Plan, tell: Progress
) -> dict[str, ColdStart]:
    """Precision -> what a fresh process pays; the slow original is started once."""
    if plan.cold_starts == 0:
        return {}
    tell.stage(f"{bundle.manifest.name}: fresh processes", len(candidates))
    found = {}
    for candidate in candidates:
        if candidate.precision == ORIGINAL:
            assert plan.original is not None
            found[ORIGINAL] = cold_start_of_original(
                plan.original,
                window_samples=bundle.manifest.window.window_samples,
                threads=candidate.threads,
            )
        else:
            found[candidate.precision] = cold_start(
                bundle.path,
                precision=candidate.precision,
                threads=candidate.threads,
                processes=plan.cold_starts,
            )
        tell.step()
    return found


def _accuracy(
    bundle: Bundle, candidates: Sequence[_Candidate], plan: Plan, tell: Progress
) -> Mapping[str, Accuracy]:
    if plan.labelled is None:
        return {}
    labelled = plan.labelled
    tell.stage(f"{bundle.manifest.name}: accuracy", len(labelled.trials) * len(candidates))
    # The first candidate is the original where there is one, else fp32 (see `_ordered`).
    return measure_accuracy(
        {c.precision: c.score for c in candidates},
        manifest=bundle.manifest,
        labelled=labelled,
        reference=candidates[0].precision,
        on_trial=tell.step,
    )


def _ordered(precisions: Sequence[str]) -> list[str]:
    """fp32 first: it is what the others are compared with."""
    return sorted(precisions, key=lambda precision: (precision != "fp32", precision))


def _size_of(run: Path, digest: str) -> int | None:
    """Bytes of the checkpoint file with that hash; None where it is not found as a file."""
    files = [run] if run.is_file() else sorted(run.glob("*.safetensors"))
    for file in files:
        data = file.read_bytes()
        if sha256(data) == digest:
            return len(data)
    return None
