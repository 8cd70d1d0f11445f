"""`earlet study diffres`: does a learned warp hold accuracy with fewer frames, and at what cost?"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from earlet.errors import RecipeError
from earlet_export.studies.classes import (
    AVERAGING,
    PerLabel,
    check_base,
    class_part,
    in_words,
    training_in_words,
)
from earlet_export.studies.diffres_findings import Row, find_diffres
from earlet_export.studies.options import Size
from earlet_export.studies.sets import ClassSet, class_sets
from earlet_export.studies.study import Study
from earlet_export.studies.variant import Variant, changed
from earlet_train.network import build_network
from earlet_train.recipe import Recipe

DELTAS = (0.25, 0.5, 0.75)
METHODS = {
    "change-hop": "ChangeHop",
    "average-pool": "AvgPool",
    "diffres": "DiffRes",
    "average-max-pool": "AvgMaxPool",
    "conv-average-pool": "ConvAvgPool",
}
ONCE = ("average-max-pool", "conv-average-pool")

MELS, HOP_S, FINEST = 128, 0.01, 3
AMOUNTS = PerLabel(train=64, dev=12, evaluation=60)
# Four tones take as many recordings as eleven instruments: a syllable is a quarter as long.
MANY = PerLabel(train=160, dev=30, evaluation=165)
FEW_LABELS = 6
EPOCHS, SEEDS, BATCH = 12, 3, 16

CLAIM = (
    "Liu et al. (DiffRes, AAAI 2024, arXiv 2210.01719) merge the frames of a log-mel that matter "
    "little, as a small network scores them, before the classifier sees them, and claim equal or "
    "better accuracy on five audio tasks with at least 25 % less compute. Their tables by task "
    "could not be obtained: no number of theirs stands here. Beside it the baselines of their "
    "code: ChangeHop takes every so manieth frame, AvgPool the mean of neighbours, AvgMaxPool "
    "mean plus maximum, ConvAvgPool convolves first."
)
CUTS = (
    "the classifier, one narrow CNN for all rows instead of an EfficientNet (the paper's figure), "
    "which multiplies many times more: beside so small a network the scorer weighs far more.",
    "the sets: none of the paper's tasks (AudioSet is named) can be had here.",
    "all rows see 128 mels in natural logarithms, never raised towards the clip's loudest "
    "(range_db = 0), and are masked, where the base recipe masks, before the reduction and with "
    "the lowest value: DiffRes' guide loss looks for such frames, and only the reduction differs.",
)


def diffres_study(
    corpora: Sequence[Path],
    *,
    recipes: Sequence[str] | None,
    out: Path,
    size: Size,
    deltas: Sequence[float] = DELTAS,
) -> Study:
    """The study on sets of several classes. Raises CorpusError, RecipeError, UsageError.

    `deltas`: the shares of frames that are saved.
    """
    sets = class_sets(corpora, recipes)
    for given in sets:
        check_base(given)
    bases = [_base(given, size=size, deltas=deltas) for given in sets]
    data, cuts, rows = {}, [*CUTS], []
    for given, base in zip(sets, bases, strict=True):
        few = len(base.labels) < FEW_LABELS
        taken, left_out = class_part(given, out, size=size, amounts=MANY if few else AMOUNTS)
        data[given.name] = in_words(given, taken)
        cuts += [*left_out, *_changes_in_words(given.recipe, base)]
        rows += _rows(given, base, corpus=taken, size=size, deltas=deltas)
    return Study(
        name="diffres",
        title="Does DiffRes hold accuracy at 25 % or more less compute?",
        claim=CLAIM,
        data=data,
        cuts=tuple(cuts),
        variants=tuple(row.variant for row in rows),
        find=partial(find_diffres, rows=tuple(rows)),
    )


def _rows(
    given: ClassSet, base: Recipe, *, corpus: Path, size: Size, deltas: Sequence[float]
) -> list[Row]:
    seeds = tuple(range(1, (size.seeds or SEEDS) + 1))

    def row(kind: str, title: str, *, delta: float) -> Row:
        short = f"{kind}-{100 * delta:g}" if delta else "no-reduction"
        adapter = {"kind": kind, "delta": delta} if delta else None
        variant = Variant(
            name=f"{given.name}-{short}",
            title=title,
            set=given.name,
            recipe=changed(base, {"name": f"{short}-{given.name}", "adapter": adapter}),
            corpus=corpus,
            seeds=seeds[:1] if kind in ONCE and not size.full else seeds,
        )
        return Row(variant=variant, method=title, kind=kind, delta=delta)

    return [
        row("none", "no reduction", delta=0.0),
        *(row(kind, title, delta=delta) for delta in deltas for kind, title in METHODS.items()),
    ]


def _base(given: ClassSet, *, size: Size, deltas: Sequence[float]) -> Recipe:
    """The recipe without reduction: the longest hop, from 10 ms down, that leaves enough frames.

    Raises RecipeError where the network has too few frames even with the finest.
    """
    recipe, refused = given.recipe, None
    hop = round(HOP_S * recipe.data.sample_rate_hz)
    for halvings in range(FINEST + 1):
        base = changed(recipe, _changes(recipe, hop_samples=hop >> halvings, size=size))
        fewest = {"adapter": {"kind": "diffres", "delta": max(deltas)}}
        try:
            build_network(changed(base, fewest))
        except RecipeError as error:
            refused = error
        else:
            return base
    assert refused is not None
    raise refused


def _changes(recipe: Recipe, *, hop_samples: int, size: Size) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "frontend.mels": MELS,
        "frontend.hop_samples": hop_samples,
        "frontend.log": "ln",
        "frontend.range_db": 0.0,
        "training.augment": "frontend-output",
        "training.epochs": size.epochs or (recipe.training.epochs if size.full else EPOCHS),
        # Every row for as long as every other.
        "training.patience": 0,
    }
    if not size.full:
        changes |= {"training.batch_size": BATCH, "training.averaging": AVERAGING}
    told = tomllib.loads(recipe.text).get("augmentation", [])
    own = recipe.frontend.settings
    wider, longer = MELS / own.mels, own.hop_samples / hop_samples
    masked = [
        _masked(table, part.settings, wider=wider, longer=longer)
        for table, part in zip(told, recipe.augmentations, strict=True)
    ]
    return changes | ({"augmentation": masked} if masked else {})


def _masked(
    table: Mapping[str, Any], settings: Any, *, wider: float, longer: float
) -> dict[str, Any]:
    """An augmentation as it was, but masks of the same mels and milliseconds, blank as silence."""
    if table["kind"] != "band-mask":
        return dict(table)
    return {
        **table,
        "bins": round(settings.bins * wider),
        "frames": round(settings.frames * longer),
        "blank": "lowest",
    }


def _changes_in_words(recipe: Recipe, base: Recipe) -> list[str]:
    """What differs from the set's own recipe and from the paper, beside `CUTS`."""
    rate, hop = base.data.sample_rate_hz, base.frontend.settings.hop_samples
    told = []
    if hop < round(HOP_S * rate):
        told.append(
            f"{recipe.name}: a frame every {1e3 * hop / rate:g} ms, not 10: with the most frames "
            "saved the network would have too few left of so short a window."
        )
    return [*told, *training_in_words(recipe, base)]
