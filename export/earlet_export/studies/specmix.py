"""What MPIF fusion, SpecMix and random SpecMix give a Res2Net, on known attacks and on unknown."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from earlet.errors import RecipeError
from earlet.protocol import KEYS
from earlet_bench.evaluation.tables import Table
from earlet_export.studies.compare import RULE
from earlet_export.studies.draw import Point, bars
from earlet_export.studies.grid import Answer
from earlet_export.studies.options import Size
from earlet_export.studies.rates import (
    POOLS,
    Rates,
    against,
    by_attack,
    by_pool,
    near_chance,
    of_pool,
    of_row,
    rates,
)
from earlet_export.studies.speech import in_words, speech_part
from earlet_export.studies.study import Findings, Study
from earlet_export.studies.variant import Variant, changed
from earlet_train.recipe import Recipe, load_recipe

BASE = "mpif-res2net"
CLIPS, DEV, EVALUATION, EPOCHS, SEEDS = 2_400, 400, 700, 12, 2

# What makes the published base small enough: 0.04 instead of 1.6 GMAC, and steps that get
# somewhere within the few that there are. The band stays: it learns here as fast as a wide one.
CUT: Mapping[str, Any] = {
    "data.window_samples": 40_000,
    "data.hop_samples": 40_000,
    "data.crop": "random",
    "frontend.hop_samples": 480,
    "frontend.frames": 0,
    "model.channels": [8, 16, 32, 64],
    "model.stem": 8,
    "model.scale": 4,
    "training.batch_size": 16,
    "training.schedule": "cosine",
    "training.learning_rate": 2e-3,
    "training.warmup_epochs": 1.0,
}
CUTS = (
    "a frame every 30 ms of 2.5 s, at a random place, instead of every 8 ms of the first 5 s: 84 "
    "frames instead of 600, of the same 45 bins below 420 Hz.",
    "logarithms stop at e^-11.5, where the rounding of 16-bit recordings lies, instead of e^-80.",
    "half the channels in Res2Net's stem and stages (8 to 64) and half the groups (4); still two "
    "blocks in each stage, because MPIF sits in the second.",
    "batches of 16 instead of 64; one epoch of warm-up to a rate of 0.002 and a cosine to 0 "
    "instead of Noam's schedule, whose 1,000 steps of warm-up would be most of the run.",
)
CLAIM = (
    "Dong et al. (DADA 2023, arXiv 2306.15389) fuse what Res2Net's channel groups see from several "
    "perspectives (MPIF), and paste frequency bands between recordings of a batch, chosen at "
    "random (random SpecMix). Their figure, 3.29 % EER on ASVspoof 2021 LA, is for another corpus, "
    "and their ablations could not be obtained. MPIF here is a **reconstruction** from the "
    "abstract, and so is the share of recordings that random SpecMix changes."
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row: whether its groups are fused, and the augmentation that mixes, if any."""

    name: str
    title: str
    fused: bool = False
    mixing: str = ""


ROWS = (
    Row(name="res2net", title="Res2Net"),
    Row(name="mpif", title="+ MPIF fusion (reconstruction)", fused=True),
    Row(name="specmix", title="+ SpecMix", mixing="specmix"),
    Row(name="random-specmix", title="+ random SpecMix", mixing="random-specmix"),
    Row(name="both", title="+ MPIF and random SpecMix", fused=True, mixing="random-specmix"),
)
# Which row is held against which, and on what grounds.
COMPARED = (
    ("mpif", "res2net"),
    ("specmix", "res2net"),
    ("random-specmix", "res2net"),
    ("both", "res2net"),
    ("random-specmix", "specmix"),
    ("both", "mpif"),
)
MIXING = ("specmix", "random-specmix")
ASKED = ("known", "unknown", "all")


def specmix_study(corpus: Path, *, out: Path, size: Size, recipe: str | None = None) -> Study:
    """The study on one corpus. Raises CorpusError, RecipeError.

    `recipe`: another Res2Net to vary, by name or file, taken as it is; default: the shipped one,
    cut unless `size.full`.
    """
    base = load_recipe(recipe or BASE)
    _refuse_other(base)
    is_cut = recipe is None and not size.full
    epochs = size.epochs or (EPOCHS if is_cut else base.training.epochs)
    cuts = CUTS if is_cut else ()
    if epochs != base.training.epochs:
        cuts = (*cuts, f"{epochs} epochs instead of {base.training.epochs}.")
    base = changed(base, {**(CUT if is_cut else {}), "training.epochs": epochs})
    taken, left_out = speech_part(
        corpus, out, size=size, train=CLIPS, dev=DEV, evaluation=EVALUATION
    )
    name = corpus.resolve().name
    variants = tuple(
        Variant(
            name=row.name,
            title=row.title,
            set=name,
            recipe=_varied(base, row),
            corpus=taken,
            seeds=tuple(range(1, (size.seeds or SEEDS) + 1)),
        )
        for row in ROWS
    )
    return Study(
        name="specmix",
        title="What do MPIF fusion, SpecMix and random SpecMix give a Res2Net?",
        claim=CLAIM,
        data={name: in_words(taken, of=corpus)},
        cuts=(*cuts, *left_out),
        variants=variants,
        find=partial(find, variants),
    )


def find(variants: Sequence[Variant], answers: Sequence[Answer], out: Path) -> Findings:
    """Any part of the trainings -> EERs by pool and attack, and the differences seed by seed."""
    found = [rates(answer) for answer in answers]
    rows = [v for v in variants if of_row(found, v)]
    named = {v.name: v for v in rows}
    pairs = [
        (named[row], named[other])
        for row, other in COMPARED
        if {row, other} <= named.keys() and against(found, named[row], named[other], "all")
    ]
    note = "MPIF and the share that random SpecMix changes are reconstructions."
    tables = [by_pool(rows, found, notes=(note,)), by_attack(rows, found)]
    if pairs:
        tables.insert(1, _differences(pairs, found))
    picture = bars(
        {
            POOLS[pool]: [Point(name=v.title, values=of_pool(found, v, pool)) for v in rows]
            for pool in ASKED
            if of_pool(found, rows[0], pool)
        },
        out / "specmix-pools.png",
        measure="EER on eval in %",
        title=f"{rows[0].set}, eval: mean and standard deviation over seeds (dots)",
        chance=0.5,
    )
    return Findings(
        answers=tuple([*_verdicts(pairs, found), *near_chance(rows, found), RULE]),
        tables=tuple(tables),
        pictures=(picture,),
    )


def _verdicts(pairs: Sequence[tuple[Variant, Variant]], found: Sequence[Rates]) -> list[str]:
    said = []
    for row, other in pairs:
        differences = {pool: against(found, row, other, pool) for pool in ASKED}
        parts = {
            f"{POOLS[pool]} {one.points}": one.verdict
            for pool, one in differences.items()
            if one is not None
        }
        verdicts = set(parts.values())
        told = "; ".join(
            part if len(verdicts) == 1 else f"{part} ({verdict})" for part, verdict in parts.items()
        )
        said.append(
            f"**{row.title}** against {other.title}, EER in points: {told}"
            + (f": {verdicts.pop()}." if len(verdicts) == 1 else ".")
        )
    return said


def _differences(pairs: Sequence[tuple[Variant, Variant]], found: Sequence[Rates]) -> Table:
    return Table(
        title=f"Differences of the EER on eval of {pairs[0][0].set}, in points, seed by seed",
        header=("row against row", *(POOLS[pool] for pool in ASKED)),
        rows=tuple(
            (
                f"{row.title} against {other.title}",
                *(
                    "-" if (one := against(found, row, other, pool)) is None else one.points
                    for pool in ASKED
                ),
            )
            for row, other in pairs
        ),
        notes=("Below 0 is better. In brackets the 95 % t-interval over the seeds of both.",),
    )


def _varied(base: Recipe, row: Row) -> Recipe:
    """The base with the row's fusion and mixing, and no other mixing."""
    told = tomllib.loads(base.text).get("augmentation", [])
    kept = [table for table in told if table["kind"] not in MIXING]
    if row.mixing:
        own_mixing = [table for table in told if table["kind"] == row.mixing]
        kept += own_mixing or [{"kind": row.mixing}]
    own = base.model.settings.fusion
    fusion = (own if own != "none" else "views") if row.fused else "none"
    return changed(
        base,
        {
            "name": f"specmix-{row.name}",
            "model.fusion": fusion,
            "augmentation": kept or None,
        },
    )


def _refuse_other(base: Recipe) -> None:
    if base.model.kind != "res2net" or set(base.labels) != set(KEYS):
        raise RecipeError(
            f"{base.source}: found a model of kind {base.model.kind!r} and the labels "
            f"{', '.join(base.labels)}; this study varies the fusion inside a Res2Net that tells "
            "bonafide from spoof. Give such a recipe, or none for the shipped one."
        )
