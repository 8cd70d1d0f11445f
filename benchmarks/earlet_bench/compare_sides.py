"""Finds the two detectors that `earlet compare` is asked about."""

from dataclasses import dataclass
from pathlib import Path

from earlet.bundle import DEFAULT, Bundle, find, shipped
from earlet.bundle_limits import read_plain
from earlet.errors import UsageError
from earlet.manifest import METADATA_KEY
from earlet.onnx_file import inspect
from earlet_bench.compare_foreign import open_foreign
from earlet_bench.evaluation.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Side:
    """One graph and its file. `assumed`: what nothing in a foreign file says."""

    subject: Subject
    size_bytes: int
    assumed: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """`narrow-cnn 0.1.0, int8 (3fa2c1d0)`."""
        return self.subject.title if self.subject.version else self._short

    @property
    def _short(self) -> str:
        return f"{self.subject.name} ({self.subject.sha256[:8]})"


def two_sides(
    a: str, b: str | None, *, precision: str | None = None, threads: int = 1
) -> tuple[Side, Side]:
    """Two names -> both sides. Raises BundleError, UsageError.

    A name is a bundle folder, a shipped detector or an .onnx file; `NAME:int8` names one graph of
    a bundle, else `precision` does, else the bundle's default is taken. Without `b`: fp32 and int8
    of the one bundle.
    """
    if b is None:
        bundle = find(_named(a)[0])
        if precision is not None or _named(a)[1] is not None or len(bundle.precisions) < 2:
            raise UsageError(
                f"{a} is one graph, and a comparison takes two: name another detector, or give a "
                f"bundle with several graphs ({a} has {', '.join(bundle.precisions)})."
            )
        first = "fp32" if "fp32" in bundle.precisions else bundle.precisions[0]
        second = next(name for name in bundle.precisions if name != first)
        return _of(bundle, first, threads=threads), _of(bundle, second, threads=threads)
    known = [name for name in (a, b) if not _is_foreign(name)]
    found: dict[str, Side] = {}
    like: Subject | None = None
    # What carries a manifest first: it says how the other one is understood.
    for name in (*known, *(name for name in (a, b) if name not in known)):
        if name in known:
            found[name] = _open(name, precision, threads=threads)
        else:
            opened = open_foreign(Path(name), like=like, threads=threads)
            found[name] = Side(
                subject=opened.subject, size_bytes=opened.size_bytes, assumed=opened.assumed
            )
        like = like or found[name].subject
    return found[a], found[b]


def _open(name: str, precision: str | None, *, threads: int) -> Side:
    place, wanted = _named(name)
    bundle = find(place)
    return _of(bundle, bundle.precision(wanted or _held(bundle, precision)), threads=threads)


def _held(bundle: Bundle, precision: str | None) -> str | None:
    """`--precision` is for bundles; a lone graph has but its own."""
    return None if bundle.lone_precision is not None else precision


def _of(bundle: Bundle, precision: str, *, threads: int) -> Side:
    data, digest = bundle.graph(precision)
    session = bundle.session_of(data, precision=precision, threads=threads)
    manifest = bundle.manifest
    return Side(
        subject=Subject(
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
        ),
        size_bytes=len(data),
    )


def _named(name: str) -> tuple[str, str | None]:
    """`bundle:int8` -> (`bundle`, `int8`); a path that is there as it stands has no precision."""
    place, colon, wanted = name.rpartition(":")
    known = colon and (Path(place).exists() or place in (*shipped(), DEFAULT))
    return (place, wanted) if known and not Path(name).exists() else (name, None)


def _is_foreign(name: str) -> bool:
    """An .onnx file that carries no manifest. Raises BundleError where it is damaged."""
    path = Path(name)
    if path.suffix != ".onnx" or not path.is_file():
        return False
    return METADATA_KEY not in inspect(read_plain(path, links=True), source=name).metadata
