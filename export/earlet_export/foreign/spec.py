"""Reads the TOML file that says what a foreign model takes and what its answer means.

Nothing in an ONNX file says at which rate it listens, what a 0.7 of its output means or who may
use it. This file does, and every line of it goes into the bundle's card. An example:

    name = "someone-speaks"
    version = "1"
    description = "Tells speech from everything else."
    licence = "MIT"
    training_data = "Not stated by its authors."
    labels = ["noise", "speech"]
    positive = "speech"

    [data]
    sample_rate_hz = 16000
    window_samples = 16384
    hop_samples = 8192
    min_samples = 4096
    short = "zero"

    [input]                  # left out: the one float input, waveforms [B, T] in -1 to 1
    name = "input"
    [input.constants]        # inputs that are always the same
    sr = 16000

    [chunks]                 # a model that is called again and again, and remembers
    samples = 512
    context = 64             # samples of the chunk before that it is given again
    pool = "max"
    [chunks.states]          # its input: the output that is the next call's
    state = "stateN"

    [output]
    name = "output"
    means = "probability"    # logits, log-odds, probabilities, probability, value
    moments = "max"          # where it answers moment by moment: what of them counts
    shape = ["B", "T", "K"]  # recordings, moments, the numbers of each

    [decision]
    threshold = 0.5          # on the probability; left out: where both errors are equal on dev
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from earlet.errors import RecipeError
from earlet_train.ranges import Count
from earlet_train.recipe import Data, Promises
from earlet_train.tables import build, refuse_unknown

Means = Literal["logits", "log-odds", "probabilities", "probability", "value"]
Pool = Literal["max", "mean", "last"]
Probability = Annotated[float, Field(gt=0, lt=1)]
Number = float | int


@dataclass(frozen=True, kw_only=True)
class Input:
    """[input]: the port that takes the sound. `name`: left out where the model has one float input.

    `shape`: its axes in the model's own order: "B", "T" and ones, such as ["B", 1, "T"].
    `full_scale`: the number that the loudest sample has there: 1.0, or 32768 for 16-bit integers.
    `constants`: other inputs, each always the same number: a rate, or a mask over all samples.
    """

    name: str | None = None
    shape: tuple[Literal["B", "T", 1], ...] | None = None
    full_scale: Annotated[Number, Field(gt=0)] = 1.0
    constants: Mapping[str, Number] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.shape is not None and (self.shape.count("T") != 1 or self.shape.count("B") > 1):
            raise ValueError(f"shape needs one 'T' and at most one 'B', found {list(self.shape)}")


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """[chunks]: the window is given piece by piece, in order; states begin at zero.

    `context`: that many samples from before each piece are given again in front of it (zeros before
    the first). `states`: input -> the output that becomes it at the next piece. `pool`: the
    window's answer is the `max` or `mean` (on the log-odds scale) or the `last` of its pieces'.
    """

    samples: Count
    context: Annotated[int, Field(ge=0)] = 0
    states: Mapping[str, str] = field(default_factory=dict)
    pool: Pool = "max"

    def __post_init__(self) -> None:
        if self.context > self.samples:
            raise ValueError(
                f"context ({self.context}) must not be longer than a chunk ({self.samples})"
            )


@dataclass(frozen=True, kw_only=True)
class Output:
    """[output]: the answer. `name`: left out where there is one output that is no state.

    `means`: `logits` or `probabilities`, one for each label; or one number: `log-odds` or
    `probability` of the positive label, or a `value`, from which the log-odds are made as
    slope x (value - center); a negative slope where a low value speaks for the positive label.
    `column`: which number it is, counted from 0; to be said where the model answers several.
    `moments`: for a model that answers moment by moment: the window's answer is the `max` or `mean`
    (on the log-odds scale) or the `last` of its moments'. `shape`: the axes of such an answer in
    the model's own order: "B" recordings, "T" moments, "K" the numbers of a moment, and ones; left
    out: ["B", "T"] or ["B", "T", "K"].
    """

    means: Means
    name: str | None = None
    column: Annotated[int, Field(ge=0)] | None = None
    center: Number = 0.0
    slope: Number = 1.0
    moments: Pool | None = None
    shape: tuple[Literal["B", "T", "K", 1], ...] | None = None

    def __post_init__(self) -> None:
        if self.shape is not None and self.moments is None:
            raise ValueError("shape belongs to moments = 'max', 'mean' or 'last'")
        if self.shape is not None and (
            self.shape.count("T") != 1 or self.shape.count("B") > 1 or self.shape.count("K") > 1
        ):
            raise ValueError(
                f"shape needs one 'T' and at most one 'B' and 'K', found {list(self.shape)}"
            )
        if self.slope == 0:
            raise ValueError("slope must not be 0")
        if self.means != "value" and (self.center, self.slope) != (0.0, 1.0):
            raise ValueError(f"center and slope belong to means = 'value', found {self.means!r}")

    @property
    def at(self) -> int:
        """Where the number stands."""
        return self.column or 0

    @property
    def single(self) -> bool:
        """One number for the positive label, not one for each."""
        return self.means in ("log-odds", "probability", "value")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """[decision]: `threshold` as a probability of the positive label.

    Left out: where both error rates are equal on the dev recordings. `calibrate`: fit scale and
    offset of the scores there first (Platt), so that probabilities mean what they say.
    """

    threshold: Probability | None = None
    calibrate: bool = False

    def __post_init__(self) -> None:
        if self.calibrate and self.threshold is not None:
            raise ValueError(
                "calibrate moves the scores, and a threshold of the authors' no longer fits: "
                "leave one of them out"
            )

    @property
    def log_odds(self) -> float | None:
        """The threshold as a score."""
        if self.threshold is None:
            return None
        return math.log(self.threshold) - math.log1p(-self.threshold)


@dataclass(frozen=True, kw_only=True)
class ForeignExport:
    """[export]: `seam`: the tensor up to which everything stays float (left out: found).

    `calibration_clips`: recordings that set the int8 ranges; `calibration`: how, see
    `earlet_export.calibrate`.
    """

    seam: str | None = None
    calibration_clips: Count = 64
    calibration: Literal["minmax", "entropy", "percentile", "own-level"] = "minmax"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The whole file; `text` is it verbatim. See the module's docstring."""

    name: str
    version: str
    description: str
    licence: str
    training_data: str
    labels: tuple[str, ...]
    positive: str
    data: Data
    output: Output
    input: Input = field(default_factory=Input)
    chunks: Chunks | None = None
    decision: Decision = field(default_factory=Decision)
    export: ForeignExport = field(default_factory=ForeignExport)
    promises: Promises = field(default_factory=Promises)
    intended_use: str = ""
    limits: str = ""
    origin: str = ""
    text: str = field(default="", repr=False)
    source: str = field(default="the manifest", repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.positive not in self.labels:
            raise ValueError(f"positive {self.positive!r} is not among labels {list(self.labels)}")
        if self.output.single and len(self.labels) != 2:
            raise ValueError(
                f"means = {self.output.means!r} is one number and decides between two labels; "
                f"found {len(self.labels)}"
            )

    @property
    def positive_index(self) -> int:
        """Index of the positive label in the logits."""
        return self.labels.index(self.positive)

    @property
    def piece_samples(self) -> int:
        """What the model is given in one call."""
        if self.chunks is None:
            return self.data.window_samples
        return self.chunks.samples + self.chunks.context

    @property
    def pieces(self) -> int:
        """Calls for one window; the last piece is filled up with zeros."""
        return 1 if self.chunks is None else -(-self.data.window_samples // self.chunks.samples)


_TABLES: Mapping[str, Any] = {
    "data": Data,
    "input": Input,
    "chunks": Chunks,
    "output": Output,
    "decision": Decision,
    "export": ForeignExport,
    "promises": Promises,
}
_TEXTS = ("name", "version", "description", "licence", "training_data")
_MORE = ("intended_use", "limits", "origin")


def load_spec(path: Path) -> Spec:
    """TOML file -> Spec. Raises RecipeError naming file, table and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}.") from None
    return parse_spec(text, source=str(path))


def parse_spec(text: str, *, source: str) -> Spec:
    """The same from its text; `source` names it in errors."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{source} is not TOML: {error}.") from None
    known = [*_TEXTS, *_MORE, "labels", "positive", *_TABLES]
    refuse_unknown(found, known, source=source, where="the manifest")
    values: dict[str, Any] = {
        name: build(_TABLES[name], table, source=source, where=f"[{name}]")
        for name, table in found.items()
        if name in _TABLES
    }
    rest = {name: value for name, value in found.items() if name not in _TABLES}
    for name in (*_TEXTS, "labels", "positive", "data", "output"):
        if name not in found:
            raise RecipeError(
                f"{source} lacks {name!r}. Add it: earlet adopt --help shows an example."
            )
    for name, value in rest.items():
        if name != "labels" and not (isinstance(value, str) and value.strip()):
            raise RecipeError(f"{source}: {name} should be a text, found {value!r}.")
    labels = rest.pop("labels")
    if not (isinstance(labels, list) and all(isinstance(one, str) for one in labels)):
        raise RecipeError(f"{source}: labels should be a list of names, found {labels!r}.")
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise RecipeError(f"{source}: labels should be two or more names, found {labels}.")
    try:
        return Spec(**rest, **values, labels=tuple(labels), text=text, source=source)
    except ValueError as error:
        raise RecipeError(f"{source}: {error}.") from None
