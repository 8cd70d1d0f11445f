"""`earlet study images`: pictures of spectra or of waveforms, and what to do about nine to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from earlet.errors import CorpusError, RecipeError, UsageError
from earlet.protocol import KEYS, SPLITS, Trial, read_protocol
from earlet_export.studies.images_findings import find_images
from earlet_export.studies.images_rows import NINE, REMEDIES, Picture, Remedy, Row
from earlet_export.studies.options import Size
from earlet_export.studies.part import part
from earlet_export.studies.speech import check_speech
from earlet_export.studies.study import Study
from earlet_export.studies.variant import Variant, changed
from earlet_train.recipe import Recipe, load_recipe

BASES = ("vgg-spectrogram", "resnet50-spectrogram")
TITLES = {"vgg": "VGG-like", "resnet50": "ResNet50"}
# Shipped recipes of the same network on the other picture, with what was published of it.
TWINS = {"resnet50": "resnet50-waveform"}

HUMANS, DEV, EVAL_HUMANS, EVAL_SPOOFS = 160, 120, 400, 800
# Of the first network, and of the others, which take ten times as long.
EPOCHS, SEEDS = (3, 2), (2, 1)
# How often an epoch of each remedy deals a picture, in genuine recordings.
DEALT: dict[Remedy, int] = {"none": 1 + NINE, "multiply": 2 * NINE, "undersample": 2}

CLAIM = (
    "Should a network look at a recording as a picture of its spectrum, or of its waveform? And "
    'what helps where nine of ten recordings are spoofed? The student project "Be ware of what you '
    'hear" (known from its slides) began with 89 % accuracy and everything predicted spoof; then '
    "it multiplied the genuine pictures by turning, shifting and flipping them (90 %), or left "
    "spoofed ones out (3000: 91 %). It reports totals of 91 % for a VGG-like network on "
    "spectrograms, 91 % for ResNet50 on spectrograms and 95 % for ResNet50 on waveforms."
)


@dataclass(frozen=True, kw_only=True)
class _Base:
    """A network: its recipe on each of the two pictures, and how long and often it is trained."""

    short: str
    title: str
    recipes: Mapping[Picture, Recipe]
    remedies: Mapping[Picture, tuple[Remedy, ...]]
    epochs: int
    seeds: int


def images_study(
    corpus: Path, *, recipes: Sequence[str] | None = None, out: Path, size: Size
) -> Study:
    """The study on a part of `corpus`, which is written into `out`.

    `recipes`: on spectrogram images, instead of the shipped two; remedies are compared on the
    first. Raises RecipeError, CorpusError, UsageError.
    """
    bases = [
        _base(load_recipe(name), place=place, size=size)
        for place, name in enumerate(recipes or BASES)
    ]
    shorts = [base.short for base in bases]
    if len(set(shorts)) < len(shorts):
        raise UsageError(
            f"the recipes are called {', '.join(shorts)}; expected different names, because each "
            "row is kept under its own. Give each recipe once."
        )
    check_speech(corpus)
    splits = {split: read_protocol(corpus, split) for split in SPLITS}
    name = f"{corpus.resolve().name}-nine-to-one"
    # The recipes are whole before a folder is made.
    planned = [_rows(base, corpus=out / name, set_name=name) for base in bases]
    humans = _humans(splits["train"], size)
    taken = part(
        corpus,
        out / name,
        train={"bonafide": humans, "spoof": NINE * humans},
        dev=None if size.full else _at_most(splits["dev"], DEV, DEV),
        evaluation=None if size.full else _at_most(splits["eval"], EVAL_HUMANS, EVAL_SPOOFS),
    )
    rows = [row for own in planned for row in own]
    return Study(
        name="images",
        title="Pictures of spectra or of waveforms, multiplied or left out",
        claim=CLAIM,
        data={name: _in_words(corpus, taken)},
        cuts=tuple(_cuts(bases, humans=humans, corpus=corpus.resolve().name)),
        variants=tuple(row.variant for row in rows),
        find=partial(find_images, rows=rows),
    )


def _base(recipe: Recipe, *, place: int, size: Size) -> _Base:
    if set(recipe.labels) != set(KEYS):
        raise RecipeError(
            f"{recipe.source} tells {', '.join(recipe.labels)} apart; expected bonafide and spoof. "
            "Give a recipe of spoofed speech, such as vgg-spectrogram."
        )
    if recipe.frontend.kind != "spectrogram-image":
        raise RecipeError(
            f"{recipe.source} has a frontend of kind {recipe.frontend.kind!r}; expected "
            "'spectrogram-image', whose twin on waveforms the study makes by itself. Give such a "
            "recipe, as vgg-spectrogram is one."
        )
    short = recipe.name.removesuffix("-spectrogram")
    if short in TWINS:
        waveform = load_recipe(TWINS[short])
    else:
        drawn = recipe.frontend.settings
        frontend = {"kind": "waveform-image", "size": drawn.size, "channels": drawn.channels}
        waveform = changed(recipe, {"frontend": frontend})
    first = place == 0
    every: tuple[Remedy, ...] = ("none", "multiply", "undersample")
    remedies = (every, every[1:]) if first else (("multiply",),) * 2
    epochs = recipe.training.epochs if size.full else EPOCHS[not first]
    seeds = 3 if size.full else SEEDS[not first]
    return _Base(
        short=short,
        title=TITLES.get(short, short),
        recipes={"spectrogram": recipe, "waveform": waveform},
        remedies=dict(zip(("spectrogram", "waveform"), remedies, strict=True)),
        epochs=size.epochs or epochs,
        seeds=size.seeds or seeds,
    )


def _rows(base: _Base, *, corpus: Path, set_name: str) -> list[Row]:
    return [
        Row(
            network=base.title,
            picture=picture,
            remedy=remedy,
            variant=Variant(
                name=f"{base.short}-{picture}-{remedy}",
                title=f"{base.title}, {picture}, {REMEDIES[remedy]}",
                set=set_name,
                recipe=_remedied(base, picture, remedy),
                corpus=corpus,
                seeds=tuple(range(1, base.seeds + 1)),
            ),
        )
        for picture, remedies in base.remedies.items()
        for remedy in remedies
    ]


def _remedied(base: _Base, picture: Picture, remedy: Remedy) -> Recipe:
    """The recipe of one row: as many pictures looked at as in every other row of its network."""
    recipe = base.recipes[picture]
    epochs = epochs_of(remedy, base.epochs)
    changes: dict[str, Any] = {
        "name": f"{base.short}-{picture}-{remedy}",
        "augmentation": [{"kind": "image-geometry", "copies_only": True}],
        "training.epochs": epochs,
        "training.balance": remedy,
        "training.balance_to": None,
        "training.balance_draw": None,
    }
    if remedy != "multiply":
        changes["augmentation"] = None
    if recipe.training.warmup_epochs:
        share = recipe.training.warmup_epochs / recipe.training.epochs
        changes["training.warmup_epochs"] = share * epochs
    return changed(recipe, changes)


def epochs_of(remedy: Remedy, multiplied: int) -> int:
    """Epochs in which a remedy deals as many pictures as `multiply` in `multiplied` of them."""
    return max(1, round(multiplied * DEALT["multiply"] / DEALT[remedy]))


def _humans(train: Sequence[Trial], size: Size) -> int:
    """How many genuine recordings to train on; a tenth of --clips, which is taken as asked for."""
    if size.clips is not None:
        return size.clips // (1 + NINE)
    spoof = sum(trial.is_spoof for trial in train)
    most = min(len(train) - spoof, spoof // NINE)
    if most < 1:
        raise CorpusError(
            f"the train split has {spoof} spoofed recordings; expected at least {NINE}, for one "
            "genuine recording. Give a larger corpus."
        )
    return most if size.full else min(HUMANS, most)


def _at_most(trials: Sequence[Trial], humans: int, spoofs: int) -> dict[str, int]:
    """So many of each label, or fewer in that proportion where a split has fewer."""
    spoof = sum(trial.is_spoof for trial in trials)
    share = min(1.0, (len(trials) - spoof) / humans, spoof / spoofs)
    return {"bonafide": max(1, round(humans * share)), "spoof": max(1, round(spoofs * share))}


def _in_words(corpus: Path, taken: Path) -> str:
    def count(split: str) -> str:
        trials = read_protocol(taken, split)
        spoof = sum(trial.is_spoof for trial in trials)
        attacks = len({trial.system for trial in trials if trial.is_spoof})
        return (
            f"{split} {len(trials) - spoof:,} genuine and {spoof:,} spoofed recordings, "
            f"{attacks} attacks"
        )

    return (
        f"of the corpus {corpus.resolve().name}, drawn evenly over attacks: "
        f"{'; '.join(map(count, SPLITS))}. Only train is nine to one; dev "
        "chooses epoch and threshold, nothing is chosen on eval."
    )


def _cuts(bases: Sequence[_Base], *, humans: int, corpus: str) -> list[str]:
    first, *others = bases
    spans = ", ".join(
        f"{REMEDIES[remedy]} {epochs_of(remedy, first.epochs)}" for remedy in REMEDIES
    )
    told = [
        f"{NINE * humans + humans:,} recordings of {corpus} in training, {humans:,} of them "
        "genuine, in place of the project's 25,330 of ASVspoof 2019 LA with 2,530 genuine (the "
        "same nine to one).",
        f"Epochs of {first.title}: {spans}. An epoch of multiply deals nine times as many pictures "
        "as one of undersample, so that all rows look at about "
        f"{DEALT['multiply'] * humans * first.epochs:,}; undersample draws other spoofed "
        "recordings each epoch and is judged on dev more often. The project's epochs, optimizer "
        "and learning rate for its VGG-like network are not published.",
        f"Undersample leaves {humans:,} of each label in an epoch; the project's 3000 left 3,000 "
        "spoofed recordings to 2,530 genuine ones, always the same.",
        "Copies of multiply are made after the split, and how far they are turned, shifted, "
        "slanted and scaled is ours: the slides name the transforms alone. Only genuine pictures "
        "are ever changed, so the change is itself a mark of them, and among pictures that are "
        "not changed it is still nine to one.",
        "Pictures are made in the network from windows of 4 s, without files and colour map, with "
        "torchaudio's default transform (the project's sizes are not published); a longer "
        "recording is judged by the mean over its windows.",
        f"{first.title} on waveforms is no row of the project.",
    ]
    for base in others:
        told.append(
            f"{base.title}: {base.epochs} epochs of multiply with fresh weights, warm-up shortened "
            "in proportion, "
            + (
                "one seed. The project began with ImageNet's weights and took 4 epochs of 47,973 "
                "waveforms, 3 of 16,013 spectrograms; its balance for the latter was 1 to 2."
                if base.short in TWINS
                else f"seeds: {base.seeds}."
            )
        )
    return told
