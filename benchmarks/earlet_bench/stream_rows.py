"""What `earlet bench --stream` says: a row holds how a stream of one precision compares here.

Rows stand in the same files as those of `earlet bench`, told apart by their schema. Milliseconds,
bytes, shares in 0..1.
"""

from dataclasses import dataclass

from earlet_bench.device import Device

SCHEMA = "stream-1"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The stream against the offline graph, window by window, on one long sound.

    `identical`: windows whose logits have the very bits; `differ`: windows that the public Stream
    and the Detector label otherwise. `max_abs_logit` is None where a logit was not finite.
    """

    windows: int
    max_abs_logit: float | None
    tolerance: float
    identical: int
    differ: int
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The same sound in pieces of one size: whether every verdict has the same bits."""

    piece_samples: int
    sound_s: float
    verdicts: int
    identical: bool


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Processor time of a second of sound, a verdict every hop, through the public Stream.

    `candidate`: `fp32 window`, `int8 stream`, ...; `ratio`: to the fp32 window, the median over
    rounds of one interleaved run. `graph_share`: of a stream's time, what its graph takes alone.
    """

    candidate: str
    rounds: int
    cpu_ms_per_s: float
    ratio: float
    graph_share: float | None


@dataclass(frozen=True, kw_only=True)
class Company:
    """Many streams at once over one session, on one thread.

    `share`: processor time over the time that the sound lasts; below 1 one core keeps up.
    `identical`: each has the verdicts, bit by bit, that it has alone. `state_bytes`: what each
    holds once its first window is over. `resident_bytes`: by how much the process grew for each of
    them; None where the system does not tell.
    """

    streams: int
    sound_s: float
    share: float
    identical: bool
    state_bytes: int
    resident_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Soak:
    """One stream on fresh sound for a long time, as fast as it goes.

    `slope_mb_per_h`: of resident memory over hours of sound, by least squares, the first fifth left
    out; `growth_bytes`: what that makes in the rest. `max_abs_score`: at the end, over the last
    `windows_at_end` windows, against the Detector; `differ`: of those, labelled otherwise.
    """

    sound_min: float
    wall_s: float
    samples_of_memory: int
    resident_bytes: int
    slope_mb_per_h: float
    growth_bytes: int
    windows_at_end: int
    max_abs_score: float
    tolerance: float
    differ: int
    passed: bool


@dataclass(frozen=True, kw_only=True)
class StreamRow:
    """One streaming graph on one machine.

    `sound`: what it heard; `real`: whether that were recordings. `hop_s`: from verdict to verdict;
    `warmup_s`: sound until the first. `costs`: of all candidates of the bundle's run.
    """

    schema: str = SCHEMA
    created: str
    device: Device
    bundle: str
    version: str
    bundle_sha256: str
    shipped: bool
    sha256: str
    precision: str
    threads: int
    sound: str
    real: bool
    sound_s: float
    sample_rate_hz: int
    window_s: float
    hop_s: float
    warmup_s: float
    agreement: Agreement
    cuts: tuple[Cut, ...]
    costs: tuple[Cost, ...]
    company: Company
    soak: Soak | None

    @property
    def title(self) -> str:
        """Names the bundle among others."""
        return (
            f"{self.bundle} {self.version} ({self.bundle_sha256[:8]})" + ", shipped" * self.shipped
        )

    @property
    def failures(self) -> tuple[str, ...]:
        """What did not hold, in words; empty where all did."""
        said = []
        if not self.agreement.passed:
            said.append("it is farther from its offline graph than its manifest allows")
        bad = [cut.piece_samples for cut in self.cuts if not cut.identical]
        if bad:
            said.append(
                f"its verdicts depend on the pieces (of {', '.join(map(str, bad))} samples)"
            )
        if not self.company.identical:
            said.append(f"{self.company.streams} streams at once answer otherwise than each alone")
        if self.soak is not None and not self.soak.passed:
            said.append("the soak ended with more memory, or away from the offline graph")
        return tuple(said)
