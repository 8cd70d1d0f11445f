"""`earlet study relevance`: do learned filters, and relevance heads on them, beat log-mel?"""

import math
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from earlet_export.studies.classes import (
    AVERAGING,
    PerLabel,
    check_base,
    class_part,
    in_words,
    training_in_words,
)
from earlet_export.studies.options import Size
from earlet_export.studies.relevance_findings import Row, find_relevance
from earlet_export.studies.sets import ClassSet, class_sets
from earlet_export.studies.study import Study
from earlet_export.studies.variant import Variant, changed
from earlet_train.network import build_network
from earlet_train.recipe import Recipe, load_recipe

PUBLISHED = "relevance-fcn"
BANDS = 80
# 2048, 1024 and 705 samples at 44.1 kHz: the paper's acoustic scenes.
FRAME_S, TAPS_S = 0.0465, 0.016
# Taps per sample of a frame where a part of the band is looked at: a kernel of so many equal
# weights tells frequencies apart about as well as the frame's Hann window does.
FINE_TAPS = 0.64
# What the filters' floor leaves below the loudest, near enough.
RANGE_DB = 60.0
NEIGHBOURS = 16
AMOUNTS = PerLabel(train=64, dev=12, evaluation=60)
# Four tones take as many recordings as eleven instruments: a syllable is a quarter as long.
MANY, FEW_LABELS = PerLabel(train=160, dev=30, evaluation=165), 6
EPOCHS, SEEDS, BATCH = 10, 3, 16

CLAIM = (
    "Dutta, Agrawal and Ganapathy (WASPAA 2021, arXiv 2107.14793) learn the centres of 80 "
    "cosine-modulated Gaussian filters together with the classifier, and let relevance heads, "
    "each on its own group of bands, weigh bands and frames. With two heads they report 10 % fewer "
    "errors than log-mel on acoustic scenes (DCASE 2020 1A: 72.6 % against 69.5 %) and 23 % fewer "
    "on urban sounds (UrbanSound8K, patch by patch: 63 % against 52 %)."
)
CUTS = (
    "the sets: neither of the paper's can be had here.",
    "training in one stage, as the paper says (its code trains filters first and heads on frozen "
    "features then).",
    f"all rows have {BANDS} bands, the same frames and hop, and what the paper's acoustic scenes "
    "put behind the heads (each head, or without heads the whole picture, stretched to 0..1, then "
    "slopes and slopes of slopes).",
    "filters start evenly spaced in mel, so that fixed and learnable ones differ in learning only; "
    f"while training their energy is computed from products of bins up to {NEIGHBOURS} apart "
    "(mean error 0.001 nepers; by the definition a step takes ten times as long), and judged by "
    "the form that is exported.",
)
CUT_MODEL = (
    "the classifier: the base recipe's narrow CNN and its training instead of the published FCN of "
    "11.8 million weights (which --full takes)."
)


def relevance_study(
    corpora: Sequence[Path], *, recipes: Sequence[str] | None, out: Path, size: Size
) -> Study:
    """The study on sets of several classes. Raises CorpusError, RecipeError, UsageError."""
    sets = class_sets(corpora, recipes)
    for given in sets:
        check_base(given)
    planned = [_recipes(given, size=size) for given in sets]
    # Whatever does not fit is refused before a folder is made.
    for _, _, recipe in (one for own in planned for one in own):
        build_network(recipe)
    data, cuts, rows = {}, [*CUTS], []
    if not size.full:
        cuts.append(CUT_MODEL)
    seeds = tuple(range(1, (size.seeds or SEEDS) + 1))
    for given, own in zip(sets, planned, strict=True):
        few = len(given.recipe.labels) < FEW_LABELS
        taken, left_out = class_part(given, out, size=size, amounts=MANY if few else AMOUNTS)
        data[given.name] = in_words(given, taken)
        cuts += [*left_out, *_changes_in_words(given.recipe, own[-1][2])]
        for short, title, recipe in own:
            variant = Variant(
                name=f"{given.name}-{short}",
                title=title,
                set=given.name,
                recipe=recipe,
                corpus=taken,
                seeds=seeds,
            )
            rows.append(Row(variant=variant, short=short))
    return Study(
        name="relevance",
        title="Do learned filters, and relevance heads on them, beat log-mel?",
        claim=CLAIM,
        data=data,
        cuts=tuple(cuts),
        variants=tuple(row.variant for row in rows),
        find=partial(find_relevance, rows=tuple(rows)),
    )


def _recipes(given: ClassSet, *, size: Size) -> list[tuple[str, str, Recipe]]:
    """Short name, title, recipe of each row of a set."""
    base = _base(given.recipe, size=size)
    log_mel, fixed, learned = _frontends(given.recipe)
    rows = [
        ("log-mel", "log-mel", log_mel, 0),
        ("fixed", "cosine-Gauss, fixed", fixed, 0),
        ("learned", "cosine-Gauss, learned", learned, 0),
        ("learned-1-head", "learned + 1 head", learned, 1),
        ("learned-2-heads", "learned + 2 heads", learned, 2),
        ("learned-4-heads", "learned + 4 heads", learned, 4),
    ]
    return [
        (
            short,
            title,
            changed(
                base,
                {
                    "name": f"{short}-{given.name}",
                    "frontend": frontend,
                    "adapter": {"kind": "relevance", "form": "asc", "heads": heads},
                },
            ),
        )
        for short, title, frontend, heads in rows
    ]


def _base(recipe: Recipe, *, size: Size) -> Recipe:
    """What all rows have in common; in full the published classifier and how it is trained."""
    if not size.full:
        epochs = size.epochs or EPOCHS
        return changed(
            recipe,
            {
                "training.epochs": epochs,
                "training.batch_size": BATCH,
                "training.averaging": AVERAGING,
                # Every row for as long as every other.
                "training.patience": 0,
            },
        )
    published = load_recipe(PUBLISHED)
    told = tomllib.loads(published.text)
    kept = [t for t in tomllib.loads(recipe.text).get("augmentation", []) if t["kind"] == "pitch"]
    taken = changed(
        recipe,
        {
            "model": told["model"],
            "training": told["training"],
            # What the labels need stays: tones are told across voices of another pitch.
            "augmentation": [*kept, *told["augmentation"]],
            "export": told["export"],
        },
    )
    return changed(taken, {"training.epochs": size.epochs}) if size.epochs else taken


def _frontends(recipe: Recipe) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Log-mel, fixed filters, learned ones: as many bands, the same frames, the same hop.

    The paper's frames; where the base recipe looks at a part of the band it is about pitch, which
    takes finer steps: then that recipe's own frames and hop.
    """
    own, rate = recipe.frontend.settings, recipe.data.sample_rate_hz
    if own.low_hz or own.high_hz:
        frame, hop = 2 * ((own.window_samples or own.n_fft) // 2), own.hop_samples
        taps = 2 * round(FINE_TAPS * frame / 2) + 1
    else:
        frame = 2 * round(FRAME_S * rate / 2)
        hop, taps = frame // 2, 2 * round(TAPS_S * rate / 2) + 1
    log_mel = {
        "kind": "log-mel",
        "mels": BANDS,
        "n_fft": max(own.n_fft, 2 ** math.ceil(math.log2(frame))),
        "window_samples": frame,
        "hop_samples": hop,
        "low_hz": own.low_hz,
        "high_hz": own.high_hz,
        "floor": own.floor,
        "range_db": own.range_db or RANGE_DB,
    }
    learned = {
        "kind": "cosine-gauss",
        "filters": BANDS,
        "taps": taps,
        "frame_samples": frame,
        "hop_samples": hop,
        "start": "mel",
        "low_hz": own.low_hz,
        "high_hz": own.high_hz,
        "training_neighbours": NEIGHBOURS,
    }
    return log_mel, {**learned, "learnable": False}, learned


def _changes_in_words(recipe: Recipe, row: Recipe) -> list[str]:
    """What differs from the set's own recipe and from the paper, beside `CUTS`."""
    s, rate = row.frontend.settings, row.data.sample_rate_hz
    told = [
        f"{recipe.name}: frames of {1e3 * s.frame_samples / rate:.1f} ms every "
        f"{1e3 * s.hop_samples / rate:.1f} ms, kernels of {1e3 * s.taps / rate:.1f} ms, from "
        f"{s.low_hz:g} to {s.high_hz or rate / 2:g} Hz (published: 46.4, 23.2 and 16.0 ms, the "
        "whole band)."
    ]
    return [*told, *training_in_words(recipe, row)]
