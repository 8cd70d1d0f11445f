"""The sets of several classes that a study is asked about: checked, cut to fit, and judged."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet.errors import CorpusError, RecipeError
from earlet.protocol import read_protocol
from earlet.trial import SPLITS
from earlet_export.studies.grid import Answer
from earlet_export.studies.measures import class_report, of_variant
from earlet_export.studies.options import Size
from earlet_export.studies.part import part
from earlet_export.studies.sets import ClassSet
from earlet_export.studies.variant import Variant
from earlet_train.recipe import Recipe

# Recordings of a label, below which nothing is learned of it, or its recall is a throw of dice.
FEWEST = {"train": 8, "dev": 4, "eval": 4}
# Of the weights, a step: in the few hundred steps of a cut training an average over a hundred of
# them (0.99) is still full of the random weights at the beginning.
AVERAGING = 0.95


@dataclass(frozen=True, kw_only=True)
class PerLabel:
    """How many recordings of each label a study takes where it is not asked for more."""

    train: int
    dev: int
    evaluation: int


def check_base(given: ClassSet) -> None:
    """Raises RecipeError, CorpusError: a base that a study of log-mels and classes cannot vary."""
    recipe = given.recipe
    if len(recipe.labels) < 3:
        raise RecipeError(
            f"{recipe.source} has the labels {', '.join(recipe.labels)}; expected three or more, "
            "because macro accuracy is what is compared. Give a recipe of several classes, such as "
            "instruments."
        )
    if recipe.frontend.kind != "log-mel" or recipe.adapter is not None:
        between = "no adapter" if recipe.adapter is None else f"the adapter {recipe.adapter.kind!r}"
        raise RecipeError(
            f"{recipe.source} has a frontend of kind {recipe.frontend.kind!r} and {between}; "
            "expected 'log-mel' and none, which the study varies by itself. Give such a recipe, as "
            "instruments is one."
        )
    for split in SPLITS:
        counts = Counter(trial.key for trial in read_protocol(given.corpus, split))
        label = min(recipe.labels, key=lambda label: counts[label])
        if counts[label] < FEWEST[split]:
            raise CorpusError(
                f"split {split!r} of {given.corpus} has {counts[label]} recordings labelled "
                f"{label!r}; expected {FEWEST[split]} or more of each label. Build a larger corpus."
            )


def class_part(
    given: ClassSet, out: Path, *, size: Size, amounts: PerLabel
) -> tuple[Path, tuple[str, ...]]:
    """What fits -> the corpus to take, and in words what was left out. Raises CorpusError.

    Labels as even as they come. Nothing is left out where the size is full, but for its `clips`.
    """
    if size.full and size.clips is None:
        return given.corpus, ()
    labels = len(given.recipe.labels)
    train = size.clips or labels * amounts.train
    if train < labels * FEWEST["train"]:
        raise CorpusError(
            f"{train} recordings to train on are too few for the {labels} labels of {given.name}; "
            f"expected {FEWEST['train']} or more of each. Give --clips "
            f"{labels * FEWEST['train']} or more."
        )
    taken = part(
        given.corpus,
        out / f"part-of-{given.name}",
        train=train,
        dev=None if size.full else labels * amounts.dev,
        evaluation=None if size.full else labels * amounts.evaluation,
    )
    shares = [
        f"{len(read_protocol(taken, split)):,} of {len(read_protocol(given.corpus, split)):,} "
        f"in {split}"
        for split in SPLITS
    ]
    return taken, (f"recordings of {given.name}: {', '.join(shares)}.",)


def in_words(given: ClassSet, taken: Path) -> str:
    """What a page says of a set."""
    source = f"{given.corpus.resolve().name} (base recipe {given.recipe.name!r})"
    labels = given.recipe.labels
    whole = "" if taken == given.corpus else ", a part of it"
    return f"{source}{whole}: {len(labels)} labels, {', '.join(labels)}."


def accuracies(answers: Sequence[Answer], variant: Variant) -> dict[int, float]:
    """Seed -> macro accuracy of a row on eval, in 0..1, for the seeds that are done."""
    return {
        answer.done.seed: class_report(answer).macro_accuracy.value
        for answer in of_variant(answers, variant)
    }


def shared(
    first: Mapping[int, float], second: Mapping[int, float]
) -> tuple[list[float], list[float]]:
    """Values of the seeds that both rows have, in the same order."""
    seeds = sorted(first.keys() & second.keys())
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]


def training_in_words(recipe: Recipe, taken: Recipe) -> list[str]:
    """How a cut training differs from the recipe's own; nothing where it is as long."""
    own, now = recipe.training, taken.training
    if now.epochs == own.epochs:
        return []
    return [
        f"{recipe.name}: {now.epochs} epochs instead of {own.epochs}, in batches of "
        f"{now.batch_size} instead of {own.batch_size}, averaged weights that move by "
        f"{100 * (1 - now.averaging):.0f} % a step instead of {100 * (1 - own.averaging):.0f} %."
    ]
