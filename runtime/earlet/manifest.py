"""The bundle's contract: what goes in, what comes out, and what was proven about it.

A manifest is written once by `earlet export` as `manifest.json` and copied, without the hashes of
the files beside it, into the metadata of every ONNX file of the bundle (key `earlet.manifest`), so
that a lone `.onnx` works too.

The JSON is canonical: keys sorted, two-space indent, one newline at the end. `from_json` refuses
any other spelling of the same content, so no byte of it can change unseen.
"""

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from earlet.errors import BundleError
from earlet.events import EventPoint, EventPolicy
from earlet.streaming import Streaming

SCHEMA = 1
METADATA_KEY = "earlet.manifest"
PRECISION_KEY = "earlet.precision"
MANIFEST_FILE = "manifest.json"

Short = Literal["tile", "stretch", "zero", "reject"]
Pooling = Literal["mean", "first", "max"]


@dataclass(frozen=True, kw_only=True)
class WindowPolicy:
    """How a recording of any length becomes windows, and their scores one score.

    `window_samples`: what one score looks at; `hop_samples`: how far to the next window.
    `min_samples`: a shorter recording is refused. One between that and the window is repeated
    end to end (`tile`), slowed down by repeating each sample (`stretch`, the rule of the published
    Spec-ResNet code), followed by zeros (`zero`) or refused (`reject`).
    `pooling`: the recording's score is the `mean` or `max` over its windows, or the `first`.
    """

    window_samples: int
    hop_samples: int
    min_samples: int
    short: Short = "tile"
    pooling: Pooling = "mean"

    def __post_init__(self) -> None:
        if not 0 < self.min_samples <= self.window_samples:
            raise ValueError(
                f"min_samples must lie in 1..window_samples ({self.window_samples}), "
                f"found {self.min_samples}"
            )
        if self.hop_samples <= 0:
            raise ValueError(f"hop_samples must be positive, found {self.hop_samples}")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """score = scale * raw log-odds + offset: an affine (Platt) map fitted on the dev split."""

    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(
                f"calibration scale must be positive, found {self.scale}: any other would turn the "
                "positive label into the negative one"
            )


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """What the threshold gives, and on which data: error rates in 0..1.

    `miss_rate`: positives scored below the threshold; `false_alarm_rate`: negatives at or above.
    """

    name: str
    data: str
    miss_rate: float
    false_alarm_rate: float


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One ONNX file of the bundle. `eer` by pool of trials (`dev`, ...), rates in 0..1."""

    file: str
    sha256: str
    size_bytes: int
    max_abs_logit: float
    decision_flips: int
    decisions: int


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Which signals the original was replayed on (see `earlet.golden`), and how close is close.

    A tolerance per precision: the largest |logit - original's logit| that `earlet verify` accepts.
    For int8 it is what was measured at export plus a margin for other processors.
    """

    file: str
    sha256: str
    tolerances: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the bundle came from."""

    recipe: str
    checkpoint_sha256: str
    training_data: str
    versions: Mapping[str, str]
    created: str
    licence: str = "Apache-2.0"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The whole contract; see the module's docstring and each part's own.

    `stream`: how it streams; None where it does not, and every window is computed whole.
    `events`: how its verdicts become events; `event_point`: what that gives (see `earlet tune`).
    `any_length_from_samples`: the graphs answer to waveforms of any length from there on, for
    whoever feeds a session himself; None: to windows alone. A detector goes by `window` either way,
    which is what its threshold was set on.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    positive: str
    sample_rate_hz: int
    window: WindowPolicy
    threshold: float
    operating_point: OperatingPoint
    graphs: Mapping[str, Graph]
    default_precision: str
    golden: Golden
    provenance: Provenance
    calibration: Calibration = field(default_factory=Calibration)
    silence_dbfs: float = -75.0
    files: Mapping[str, str] = field(default_factory=dict)
    stream: Streaming | None = None
    events: EventPolicy | None = None
    event_point: EventPoint | None = None
    any_length_from_samples: int | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels must be two or more different names, found {self.labels}")
        if self.positive not in self.labels:
            raise ValueError(f"positive label {self.positive!r} is not among {self.labels}")
        if self.default_precision not in self.graphs:
            raise ValueError(
                f"default_precision {self.default_precision!r} has no graph; "
                f"there are {sorted(self.graphs)}"
            )
        if self.event_point is not None and self.events is None:
            raise ValueError("event_point says what a policy gives, and there is none in events")
        shortest = self.any_length_from_samples
        if shortest is not None and not 0 < shortest <= self.window.window_samples:
            raise ValueError(
                "any_length_from_samples must lie in 1..window_samples "
                f"({self.window.window_samples}), found {shortest}"
            )

    @property
    def positive_index(self) -> int:
        """Index of the positive label in the logits."""
        return self.labels.index(self.positive)

    def to_json(self) -> str:
        """The canonical text of `manifest.json`, which does not name what there is not."""
        said = {key: value for key, value in dataclasses.asdict(self).items() if value is not None}
        return canonical_json(said)

    def without_hashes(self) -> "Manifest":
        """The copy that rides inside each ONNX file, which cannot hold its own hash or size.

        Beside it, under `earlet.precision`, each file says which of the graphs it is.
        """
        bare = {
            name: dataclasses.replace(g, sha256="", size_bytes=0) for name, g in self.graphs.items()
        }
        return dataclasses.replace(
            self,
            graphs=bare,
            golden=dataclasses.replace(self.golden, sha256=""),
            files={},
            stream=None if self.stream is None else _without_hashes(self.stream),
        )

    @classmethod
    def from_json(cls, text: str, *, source: str) -> "Manifest":
        """Parse and check; `source` names the file in errors. Raises BundleError."""
        try:
            data = json.loads(text, object_pairs_hook=_no_key_twice)
        # RecursionError: brackets within brackets; ValueError: also a number of 5,000 digits.
        except (ValueError, RecursionError) as error:
            raise BundleError(
                f"{source} is not JSON ({error}). The bundle is damaged: export or copy it again."
            ) from None
        if not isinstance(data, dict) or "schema" not in data:
            raise BundleError(f"{source} is JSON, but not an earlet manifest: it has no 'schema'.")
        if data["schema"] != SCHEMA:
            raise BundleError(
                f"{source} has manifest schema {data['schema']!r}; this earlet reads schema "
                f"{SCHEMA}. Install the earlet version that exported it, or export it again."
            )
        manifest = _build(cls, data, source=source, where="manifest")
        assert isinstance(manifest, cls)
        if manifest.to_json() != text:
            raise BundleError(
                f"{source} was changed after it was written: its text is not the canonical form "
                "of its content. Export or copy the bundle again."
            )
        return manifest


def _without_hashes(stream: Streaming) -> Streaming:
    bare = {
        name: dataclasses.replace(g, sha256="", size_bytes=0) for name, g in stream.graphs.items()
    }
    return dataclasses.replace(stream, graphs=bare)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def canonical_json(data: Mapping[str, Any]) -> str:
    """Sorted keys, two-space indent, no NaN, one newline at the end."""
    return json.dumps(data, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _build(kind: Any, value: Any, *, source: str, where: str) -> Any:
    """JSON value -> an instance of the annotated type, or BundleError naming the place."""
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise _wrong(source, where, "an object", value)
        hints = get_type_hints(kind)
        unknown = sorted(set(value) - set(hints))
        if unknown:
            raise BundleError(f"{source}: unknown key {unknown[0]!r} in {where}.")
        missing = [
            f.name
            for f in dataclasses.fields(kind)
            if f.name not in value
            and f.default is dataclasses.MISSING
            and f.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise BundleError(f"{source}: {where} lacks {missing[0]!r}.")
        built = {
            key: _build(hints[key], item, source=source, where=f"{where}.{key}")
            for key, item in value.items()
        }
        try:
            return kind(**built)  # type: ignore[operator]
        except ValueError as error:
            raise BundleError(f"{source}: {where}: {error}") from None
    if origin is Literal:
        if value not in get_args(kind):
            raise _wrong(source, where, f"one of {', '.join(map(repr, get_args(kind)))}", value)
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        inner = next(a for a in get_args(kind) if a is not type(None))
        return _build(inner, value, source=source, where=where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(source, where, "a list", value)
        inner = get_args(kind)[0]
        return tuple(
            _build(inner, item, source=source, where=f"{where}[{i}]")
            for i, item in enumerate(value)
        )
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _wrong(source, where, "an object", value)
        inner = get_args(kind)[1]
        return {k: _build(inner, v, source=source, where=f"{where}.{k}") for k, v in value.items()}
    if origin is None and kind is Mapping:
        return dict(value)
    return _scalar(kind, value, source=source, where=where)


def _scalar(kind: Any, value: Any, *, source: str, where: str) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise _wrong(source, where, "a finite number", value)
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise _wrong(source, where, f"a value of type {getattr(kind, '__name__', kind)}", value)


def _wrong(source: str, where: str, expected: str, found: object) -> BundleError:
    return BundleError(f"{source}: {where} should be {expected}, found {found!r}.")
