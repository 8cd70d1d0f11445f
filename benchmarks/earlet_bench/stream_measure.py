"""Measures how a bundle streams on this machine: a row for each precision that does."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from earlet.bundle import SHIPPED, Bundle, sha256
from earlet.detector import Detector
from earlet.errors import UsageError
from earlet_bench.device import Device
from earlet_bench.latency import Budget
from earlet_bench.progress import Progress, Silent
from earlet_bench.stream_agreement import agreement, cuts, tolerated
from earlet_bench.stream_costs import company, costs
from earlet_bench.stream_rows import StreamRow
from earlet_bench.stream_soak import soak
from earlet_bench.stream_sound import LongSound

# Everything on one: ratios of others would compare thread pools.
_THREADS = 1


@dataclass(frozen=True, kw_only=True)
class StreamPlan:
    """What to measure. `soak_min`: minutes of fresh sound for each precision; 0: none."""

    budget: Budget = field(default_factory=Budget)
    soak_min: float = 0.0
    seed: int = 0


def check_streams(bundle: Bundle) -> None:
    """Raises UsageError on a bundle that gives no exact streams."""
    if bundle.manifest.stream is None or bundle.lone_precision is not None:
        what = (
            "is one file of a bundle, whose streaming graph lies in another"
            if bundle.lone_precision is not None
            else "has no streaming graph: every window is computed whole"
        )
        raise UsageError(
            f"{bundle.path} {what}. Give the folder of a bundle that streams: train a recipe with "
            'stream = "exact" in its [export] (earlet study streaming says which networks can), '
            "and export it: earlet export RUN --out BUNDLE."
        )


def measure_streams(
    bundle: Bundle,
    sound: LongSound,
    *,
    plan: StreamPlan,
    device: Device,
    progress: Progress | None = None,
) -> list[StreamRow]:
    """Bundle -> a row for each precision with a streaming graph, fp32 first. Raises BundleError.

    What does not hold raises nothing: the row says so, and the caller decides.
    """
    check_streams(bundle)
    streaming = bundle.manifest.stream
    assert streaming is not None
    tell = progress or Silent()
    precisions = sorted(bundle.precisions, key=lambda name: (name != "fp32", name))
    detectors = {name: Detector(bundle, precision=name, threads=_THREADS) for name in precisions}
    streamed = [name for name in precisions if name in streaming.graphs]
    tell.stage("what a second of sound costs", 1)
    found = tuple(costs(detectors, streaming, sound.samples, budget=plan.budget).values())
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifest = bundle.manifest
    rows = []
    for name in streamed:
        detector, session = detectors[name], detectors[name].stream_session
        assert session is not None
        tell.stage(f"{name}: window by window, cut by cut, 64 at once", 3)
        alike = agreement(detector, session, streaming, sound.samples)
        tell.step()
        cut = cuts(detector, streaming, sound.samples)
        tell.step()
        many = company(detector, streaming, sound.samples)
        tell.step()
        soaked = None
        if plan.soak_min:
            tell.stage(f"{name}: soak, minutes of sound", max(1, round(plan.soak_min)))
            soaked = soak(
                detector,
                streaming,
                sound.samples,
                minutes=plan.soak_min,
                seed=plan.seed,
                tolerance=tolerated(detector, session, streaming),
                on_minute=tell.step,
            )
        rows.append(
            StreamRow(
                created=created,
                device=device,
                bundle=manifest.name,
                version=manifest.version,
                bundle_sha256=sha256(manifest.to_json().encode()),
                shipped=bundle.path.is_relative_to(SHIPPED),
                sha256=streaming.graphs[name].sha256,
                precision=name,
                threads=_THREADS,
                sound=sound.name,
                real=sound.real,
                sound_s=sound.seconds,
                sample_rate_hz=manifest.sample_rate_hz,
                window_s=manifest.window.window_samples / manifest.sample_rate_hz,
                hop_s=streaming.chunk_samples / manifest.sample_rate_hz,
                warmup_s=detector.stream(kind="exact").warmup_s,
                agreement=alike,
                cuts=cut,
                costs=found,
                company=many,
                soak=soaked,
            )
        )
    return rows
