"""Finds out what is to be evaluated: a bundle's graphs, a checkpoint, or a file of scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from earlet.bundle import DEFAULT, Bundle, find, shipped
from earlet.errors import UsageError
from earlet.manifest import MANIFEST_FILE, Calibration, WindowPolicy
from earlet.scoring import Logits
from earlet_bench.original import load_original

ORIGINAL = "original"
_CHECKPOINTS = "*.safetensors"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A detector that can be fed windows, with all that is needed to judge recordings by it.

    `precision`: `original` for the PyTorch network, else the graph's. `threshold` is on the scale
    of the calibrated score of `positive`.
    """

    name: str
    version: str
    precision: str
    sha256: str
    labels: tuple[str, ...]
    positive: str
    sample_rate_hz: int
    window: WindowPolicy
    calibration: Calibration
    threshold: float
    logits: Logits = field(repr=False)

    @property
    def title(self) -> str:
        """`narrow-cnn 0.1.0, int8 (3fa2c1d0)`."""
        return f"{self.name} {self.version}, {self.precision} ({self.sha256[:8]})"


class _Judge(Protocol):
    """What an original tells of itself, beside its logits (see `earlet.originals`)."""

    name: str
    version: str
    sha256: str
    labels: tuple[str, ...]
    positive: str
    sample_rate_hz: int
    window: WindowPolicy
    calibration: Calibration
    threshold: float
    logits: Logits


def is_score_file(what: str) -> bool:
    """Whether the argument names a file that is neither a graph nor a checkpoint."""
    path = Path(what)
    return path.is_file() and path.suffix not in (".onnx", ".safetensors", ".pt", ".pth")


def subjects(
    what: str, *, precisions: Sequence[str] | None = None, threads: int = 1
) -> list[Subject]:
    """A bundle, a lone graph, a shipped name, a run folder or a checkpoint -> what it holds.

    `precisions`: which graphs of a bundle [default: all, fp32 first]. Raises BundleError,
    UsageError, MissingExtra.
    """
    path = Path(what)
    if not path.exists() and what not in (*shipped(), DEFAULT):
        raise UsageError(
            f"there is nothing at {what}; expected a bundle folder, an .onnx file, a training run "
            "or its checkpoint, a score file, or the name of a shipped detector "
            f"({', '.join(shipped()) or 'none'})."
        )
    if _is_run(path):
        if precisions:
            raise UsageError(
                f"--precision chooses among a bundle's graphs, and {path} is a training run, which "
                "has but its own float32. Leave it out, or give the bundle."
            )
        return [_of_run(path, threads=threads)]
    bundle = find(what)
    chosen = precisions or sorted(bundle.precisions, key=lambda name: (name != "fp32", name))
    return [_of_graph(bundle, bundle.precision(name), threads=threads) for name in chosen]


def _is_run(path: Path) -> bool:
    if path.is_file():
        return path.suffix in (".safetensors", ".pt", ".pth")
    known = path.is_dir() and (path / MANIFEST_FILE).is_file()
    if known or str(path) in shipped():
        return False
    return path.is_dir() and any(path.glob(_CHECKPOINTS))


def _of_run(run: Path, *, threads: int) -> Subject:
    found = cast(_Judge, load_original(run, threads=threads))
    return Subject(
        name=found.name,
        version=found.version,
        precision=ORIGINAL,
        sha256=found.sha256,
        labels=tuple(found.labels),
        positive=found.positive,
        sample_rate_hz=found.sample_rate_hz,
        window=found.window,
        calibration=found.calibration,
        threshold=found.threshold,
        logits=found.logits,
    )


def _of_graph(bundle: Bundle, precision: str, *, threads: int) -> Subject:
    data, digest = bundle.graph(precision)
    session = bundle.session_of(data, precision=precision, threads=threads)
    manifest = bundle.manifest
    return Subject(
        name=manifest.name,
        version=manifest.version,
        precision=precision,
        sha256=digest,
        labels=manifest.labels,
        positive=manifest.positive,
        sample_rate_hz=manifest.sample_rate_hz,
        window=manifest.window,
        calibration=manifest.calibration,
        threshold=manifest.threshold,
        logits=session.logits,
    )
