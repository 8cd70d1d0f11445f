"""The sets of several classes that a study is asked about, each with the recipe that is varied."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from earlet.errors import CorpusError, UsageError
from earlet.protocol import read_protocol
from earlet_train.recipe import Recipe, load_recipe, shipped_recipes


@dataclass(frozen=True, kw_only=True)
class ClassSet:
    """One corpus and its base recipe; `name` is what tables call it."""

    name: str
    corpus: Path
    recipe: Recipe


def class_sets(corpora: Sequence[Path], recipes: Sequence[str] | None) -> list[ClassSet]:
    """Corpora, and recipes in their order or None -> sets. Raises UsageError, CorpusError.

    Without recipes each corpus gets the shipped recipe that has exactly its labels.
    """
    if recipes and len(recipes) != len(corpora):
        raise UsageError(
            f"{len(corpora)} corpora and {len(recipes)} recipes were given; expected one recipe "
            "for each corpus, in the same order, or none at all."
        )
    found: list[ClassSet] = []
    for place, corpus in enumerate(corpora):
        labels = {trial.key for trial in read_protocol(corpus, "train")}
        recipe = load_recipe(recipes[place]) if recipes else _shipped_with(labels, corpus)
        if set(recipe.labels) != labels:
            raise CorpusError(
                f"the train split of {corpus} has the labels {', '.join(sorted(labels))}, and the "
                f"recipe {recipe.name!r} has {', '.join(sorted(recipe.labels))}. Give a recipe "
                "with the corpus's labels."
            )
        taken = [held.name for held in found]
        name = recipe.name if recipe.name not in taken else f"{recipe.name}-{place + 1}"
        found.append(ClassSet(name=name, corpus=corpus, recipe=recipe))
    return found


def _shipped_with(labels: set[str], corpus: Path) -> Recipe:
    shipped = [load_recipe(name) for name in sorted(shipped_recipes())]
    fitting = [r for r in shipped if set(r.labels) == labels and len(labels) > 2]
    if not fitting:
        raise CorpusError(
            f"no shipped recipe has the labels of {corpus} ({', '.join(sorted(labels))}). Give "
            "one with --recipe, once for each --corpus."
        )
    return fitting[0]
