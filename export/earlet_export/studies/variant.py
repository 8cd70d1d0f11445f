"""A study's rows as recipes: shipped recipes with some of their keys changed."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from earlet_train.recipe import Recipe, parse_recipe


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of a study: what is trained, on which corpus, and how often.

    `name` is unique in the study and names its folder; `title` is what tables say; `set`: what
    tables call the corpus. Each of `seeds` is a training of its own.
    """

    name: str
    title: str
    set: str
    recipe: Recipe
    corpus: Path
    seeds: tuple[int, ...]

    def seeded(self, seed: int) -> Recipe:
        """The recipe of one training: its text says the seed, so that the text says it all."""
        return changed(self.recipe, {"seed": seed})


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with other values: `{"training.epochs": 5, "adapter": {...}, "model": None}`.

    A dotted key is one value of a table, a plain one a whole table or top-level value; None takes
    it out. The new recipe's text is whole TOML (without the comments). Raises RecipeError as for
    any recipe.
    """
    tables = tomllib.loads(recipe.text)
    for key, value in changes.items():
        table, name = tables, key
        if "." in key:
            outer, name = key.split(".", 1)
            table = tables.setdefault(outer, {})
        if value is None:
            table.pop(name, None)
        else:
            table[name] = value
    return parse_recipe(tomli_w.dumps(tables), source=f"{tables['name']} (changed for a study)")
