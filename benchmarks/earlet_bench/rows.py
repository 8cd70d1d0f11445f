"""What one measurement says: a row holds speed, memory, parity and accuracy of the same file.

A row cannot be built without its parity: a latency says nothing about a model that answers
something else than the original did. Milliseconds, bytes, rates in 0..1.
"""

from dataclasses import dataclass

from earlet.accuracy import Accuracy
from earlet_bench.device import Device

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The golden replay on this machine: the original's answers against this model's.

    `max_abs_logit` is None where an answer was not finite (then `passed` is False).
    """

    passed: bool
    signals: int
    max_abs_logit: float | None
    tolerance: float
    flips: int
    decisions: int


@dataclass(frozen=True, kw_only=True)
class Latency:
    """One window, batch 1, timed round by round beside the other candidates of the same run.

    `real_time_factor`: p50 over the window's length; 0.01 = a hundredth of one core is busy.
    `versus_fp32`, `versus_original`: median over rounds of the CPU-time ratio; None where that
    candidate was not in the run. `frontend_share`: part of the time in kernels, in 0..1, that the
    fp32 frontend takes, from a profiled run of its own; None where the graph does not tell.
    """

    rounds: int
    window_s: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    cpu_p50_ms: float
    real_time_factor: float
    versus_fp32: float | None
    versus_original: float | None
    frontend_share: float | None


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """A fresh process, until its first verdict; medians over `processes` of them.

    `import_ms`: of the packages. `load_ms`: hashes checked, session made. `first_ms`: the first
    verdict. `total_ms`: wall clock from the start of the process to its end.
    """

    processes: int
    import_ms: float
    load_ms: float
    first_ms: float
    total_ms: float
    peak_rss_bytes: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model file on one machine.

    `precision`: `original` (PyTorch), `fp32`, `int8`. `sha256`: of that file; `bundle_sha256`: of
    the manifest, which lists the hashes of all files. `shipped`: came with the installed earlet.
    """

    schema: int = SCHEMA
    created: str
    device: Device
    bundle: str
    version: str
    bundle_sha256: str
    shipped: bool
    sha256: str
    precision: str
    threads: int
    size_bytes: int | None
    parity: Parity
    latency: Latency
    cold_start: ColdStart | None
    accuracy: Accuracy | None

    @property
    def title(self) -> str:
        """Names the bundle among others: `narrow-cnn 0.1.0 (3fa2c1d0), shipped`."""
        return (
            f"{self.bundle} {self.version} ({self.bundle_sha256[:8]})" + ", shipped" * self.shipped
        )
