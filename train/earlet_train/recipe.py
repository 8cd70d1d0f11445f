"""Reads a recipe: the one TOML file that says how a detector is made, from data to promises.

Each table is a frozen dataclass: the ones below, or, for [frontend], [adapter], [model] and each
[[augmentation]], the `Settings` of the class that its `kind` names. What a recipe may say is
therefore what those dataclasses declare; anything else is a RecipeError that names the file, the
table, the key, and the key that was probably meant.
"""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from earlet.errors import RecipeError
from earlet.manifest import Pooling, Short, WindowPolicy
from earlet_train.adapters import ADAPTERS
from earlet_train.augmentations import AUGMENTATIONS
from earlet_train.frontends import FRONTENDS
from earlet_train.models import MODELS
from earlet_train.published import Published, published
from earlet_train.ranges import Count, Natural, Positive, Rate
from earlet_train.shipped import shipped_recipes as shipped_recipes  # also for whoever asks here
from earlet_train.tables import build, nearest, refuse_unknown
from earlet_train.training import Training


@dataclass(frozen=True, kw_only=True)
class Data:
    """[data]: what the detector looks at; see `earlet.manifest.WindowPolicy`.

    `crop`: in training, where in a recording longer than the window the window begins. The table's
    further keys, `kind` and what belongs to it, are those of `earlet_train.published`.
    """

    window_samples: Count
    hop_samples: Count
    min_samples: Count
    sample_rate_hz: Count = 16_000
    short: Short = "tile"
    pooling: Pooling = "mean"
    crop: Literal["first", "random"] = "random"

    def __post_init__(self) -> None:
        _ = self.window

    @property
    def window(self) -> WindowPolicy:
        """The policy that the runtime follows too."""
        return WindowPolicy(
            window_samples=self.window_samples,
            hop_samples=self.hop_samples,
            min_samples=self.min_samples,
            short=self.short,
            pooling=self.pooling,
        )


# How a detector is to hear sound as it arrives, see `Export`.
Stream = Literal["exact", "window"]


@dataclass(frozen=True, kw_only=True)
class Export:
    """[export]: `calibration_clips` set the int8 ranges; `exclude` names modules kept in float.

    `calibration`: how the ranges are learned, see `earlet_export.calibrate`. The other methods are
    tried too where this one breaks the promise. (Ranges found anew at every run, which is called
    dynamic quantization, are not offered: with convolutions that is slower than float.)

    `stream`: `exact` makes a second graph that takes sound chunk by chunk and answers what the
    first answers window by window; `window` leaves it at computing every window anew.
    """

    calibration_clips: Count = 128
    calibration: Literal["minmax", "entropy", "percentile", "own-level"] = "minmax"
    exclude: tuple[str, ...] = ()
    stream: Stream = "window"
    opset: Literal[18] = 18


@dataclass(frozen=True, kw_only=True)
class Promises:
    """[promises]: what an exported bundle must keep, or it is not written.

    `fp32_max_abs_logit`: against the PyTorch original on every proof signal.
    `features_min_sqnr_db`: what the model hears, in any graph, against what it heard in PyTorch:
    the frontend stays in float, so this holds for int8 too.
    `stream_max_abs_logit`: of a streaming graph against the offline graph of its precision.
    `int8_max_flip_rate`: share of decisions that may change; `int8_max_eer_increase`: in 0..1.
    """

    fp32_max_abs_logit: Positive = 1e-4
    features_min_sqnr_db: Positive = 60.0
    stream_max_abs_logit: Positive = 5e-6
    int8_max_flip_rate: Rate = 0.02
    int8_max_eer_increase: Rate = 0.01


@dataclass(frozen=True, kw_only=True)
class Part:
    """One registered thing: its `kind` (the registry's key) and the `Settings` it is built from."""

    kind: str
    settings: Any


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe; `text` is the file verbatim, which every checkpoint carries along.

    `positive`: the label that the detector is built to find, one of `labels`. `published`: the
    dataset that it is trained on as published; None: a corpus. `source` names the file in errors.
    """

    name: str
    version: str
    description: str
    data: Data
    frontend: Part
    model: Part
    training: Training
    published: Published | None = None
    adapter: Part | None = None
    augmentations: tuple[Part, ...] = ()
    labels: tuple[str, ...] = ("bonafide", "spoof")
    positive: str = "spoof"
    seed: Natural = 0
    export: Export = field(default_factory=Export)
    promises: Promises = field(default_factory=Promises)
    text: str = field(default="", repr=False)
    source: str = field(default="the recipe", repr=False, compare=False)

    @property
    def positive_index(self) -> int:
        """Index of the positive label in the logits."""
        return self.labels.index(self.positive)


def load_recipe(path_or_name: Path | str) -> Recipe:
    """A TOML file, or the name of a shipped recipe (`demo`) -> Recipe. Raises RecipeError."""
    path = Path(path_or_name)
    if not path.is_file():
        shipped = shipped_recipes()
        named = shipped.get(str(path_or_name))
        if named is None:
            raise RecipeError(
                f"there is no recipe {str(path_or_name)!r}: neither a file of that name nor one "
                f"of the shipped ones ({', '.join(sorted(shipped))})"
                f"{nearest(str(path_or_name), shipped)}"
            )
        path = named
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not text. A recipe is a TOML file in UTF-8.") from None
    return parse_recipe(text, source=path.name)


def parse_recipe(text: str, *, source: str) -> Recipe:
    """A recipe's text -> Recipe; `source` names the file in errors. Raises RecipeError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{source} is not TOML: {error}.") from None
    inner = ("augmentations", "published", "text", "source")
    own = [f.name for f in dataclasses.fields(Recipe) if f.name not in inner]
    refuse_unknown(tables, [*own, "augmentation"], source=source, where=_TOP)
    values: dict[str, Any] = {}
    for name, value in tables.items():
        if name == "data":
            values |= _data(value, source=source)
        elif name in _TABLES:
            values[name] = build(_TABLES[name], value, source=source, where=f"[{name}]")
        elif name in _REGISTRIES:
            values[name] = _part(_REGISTRIES[name], value, source=source, where=f"[{name}]")
        elif name == "augmentation":
            values["augmentations"] = _augmentations(value, source=source)
        else:
            values[name] = value
    values |= {"text": text, "source": source}
    recipe = build(Recipe, values, source=source, where=_TOP)
    _refuse_contradictions(recipe, source=source)
    return recipe


_TOP = "the top level"
_TABLES: dict[str, type[Any]] = {
    "training": Training,
    "export": Export,
    "promises": Promises,
}
_REGISTRIES: dict[str, Mapping[str, type[Any]]] = {
    "frontend": FRONTENDS,
    "adapter": ADAPTERS,
    "model": MODELS,
}


def _data(table: object, *, source: str) -> dict[str, Any]:
    """The table [data] -> the fields `data` and `published` of the recipe."""
    if not isinstance(table, dict):
        raise RecipeError(f"{source}: [data] should be a table of keys, found {table!r}.")
    others = [field.name for field in dataclasses.fields(Data)]
    dataset, rest = published(table, others=others, source=source)
    where = "[data]" if dataset is None else f"[data] of kind {dataset.kind!r}"
    return {"published": dataset, "data": build(Data, rest, source=source, where=where)}


def _part(registry: Mapping[str, type[Any]], table: object, *, source: str, where: str) -> Part:
    """A table with a `kind` -> Part, its settings built from the rest of the table."""
    kinds = ", ".join(sorted(registry)) or "none yet"
    if not isinstance(table, dict) or not isinstance(table.get("kind"), str):
        raise RecipeError(f"{source}: {where} needs a kind, one of: {kinds}.")
    kind = table["kind"]
    if kind not in registry:
        raise RecipeError(
            f"{source}: {where}: there is no kind {kind!r}{nearest(kind, registry)} "
            f"The kinds are: {kinds}."
        )
    rest = {key: value for key, value in table.items() if key != "kind"}
    where = f"{where} of kind {kind!r}"
    return Part(
        kind=kind, settings=build(registry[kind].Settings, rest, source=source, where=where)
    )


def _augmentations(tables: object, *, source: str) -> tuple[Part, ...]:
    if not isinstance(tables, list):
        raise RecipeError(
            f"{source}: [augmentation] should be written [[augmentation]], once for each of them."
        )
    return tuple(
        _part(AUGMENTATIONS, table, source=source, where=f"[[augmentation]] number {i}")
        for i, table in enumerate(tables, start=1)
    )


def _refuse_contradictions(recipe: Recipe, *, source: str) -> None:
    """What no single table can check."""
    labels, weights = recipe.labels, recipe.training.class_weights
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise RecipeError(f"{source}: labels should be two or more different ones, found {labels}.")
    if recipe.positive not in labels:
        raise RecipeError(
            f"{source}: positive is {recipe.positive!r}, which is none of the labels {labels}"
            f"{nearest(recipe.positive, labels)}"
        )
    if weights and len(weights) != len(labels):
        raise RecipeError(
            f"{source}: [training] class_weights has {len(weights)} values for {len(labels)} "
            "labels. Give one per label, in their order, or leave it out."
        )
