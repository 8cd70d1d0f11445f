from pathlib import Path

import pytest

from earlet.errors import RecipeError
from earlet_train.network import build_network
from earlet_train.recipe import load_recipe, parse_recipe, shipped_recipes


def test_every_shipped_recipe_builds_its_network() -> None:
    assert set(shipped_recipes()) >= {"demo", "narrow-cnn", "spec-resnet"}
    for name in shipped_recipes():
        recipe = load_recipe(name)
        assert recipe.name == name
        build_network(recipe)


def test_a_recipe_is_found_by_file_and_keeps_its_text(tmp_path: Path, recipe_text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(recipe_text)
    recipe = load_recipe(file)
    assert recipe.text == recipe_text
    assert recipe.data.window.window_samples == 12000
    assert recipe.positive_index == 1
    assert recipe.source == "mine.toml"
    assert [part.kind for part in recipe.augmentations] == ["gain", "noise", "band-mask"]


def test_a_table_of_the_recipe_is_the_settings_of_its_class(recipe_text: str) -> None:
    recipe = parse_recipe(recipe_text, source="mine.toml")
    assert recipe.frontend.settings.bands == 32
    assert recipe.model.settings.channels == (16, 16, 16)


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("epochs = 3", "epoch = 3", r"mine.toml: \[training\] .*'epoch'; did you mean 'epochs'\?"),
        ("epochs = 3", 'epochs = "3"', r"\[training\], key 'epochs': found '3'"),
        ("epochs = 3", "epochs = true", r"\[training\], key 'epochs': found True"),
        ("epochs = 3", "epochs = 0", r"'epochs': found 0. .*greater than or equal to 1"),
        ("epochs = 3", "", r"\[training\] lacks the key 'epochs'"),
        ("learning_rate = 5e-3", "learning_rate = inf", "'learning_rate': found inf"),
        ("averaging = 0.5", "averaging = 1.5", "'averaging': found 1.5"),
        ('kind = "bands"', 'kind = "band"', r"\[frontend\].*'band'; did you mean 'bands'\?"),
        ('kind = "bands"', "", r"\[frontend\] needs a kind"),
        ("bands = 32", "bands = 33", "must divide"),
        ("bands = 32", "bins = 32", r"\[frontend\] of kind 'bands' has no key 'bins'"),
        ('kind = "gain"', 'kind = "gian"', r"\[\[augmentation\]\] number 1.*'gain'\?"),
        (
            "low_db = 30.0",
            "low_db = 50.0",
            r"\] number 2.*low_db 50.0 lies above",
        ),
        ("[16, 16, 16]", "[16, 0]", r"'channels': found 0 at \[1\]"),
        ("min_samples = 4000", "min_samples = 90000", "min_samples must lie in"),
        ("[data]", "[date]", "no key 'date'; did you mean 'data'"),
        ("seed = 3", 'positive = "fake"', "positive is 'fake', which is none of the labels"),
        ("seed = 3", 'labels = ["spoof"]', "two or more"),
        ("epochs = 3", "epochs = 3\nclass_weights = [1.0]", "1 values for 2 labels"),
        ("[data]", "data", "is not TOML"),
        (
            "epochs = 3",
            "epochs = 3\nbalance_to = 9",
            r"\[training\]: balance_to .* without balance",
        ),
        ("epochs = 3", "epochs = 3\nbetas = [0.9, 1.0]", "must lie below 1"),
        ("epochs = 3", "epochs = 3\nbetas = [0.9]", "key 'betas'"),
        ("epochs = 3", 'epochs = 3\nschedul = "step"', "did you mean 'schedule'"),
        ('schedule = "cosine"', 'schedule = "noam"\nwarmup_epochs = 1.0', "set noam_steps"),
        ("epochs = 3", "epochs = 3\nminimum_learning_rate = 1.0", "1 lies above learning_rate"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    recipe_text: str, found: str, instead: str, said: str
) -> None:
    assert found in recipe_text
    with pytest.raises(RecipeError, match=said):
        parse_recipe(recipe_text.replace(found, instead, 1), source="mine.toml")


def test_an_unknown_name_is_told_with_the_shipped_ones() -> None:
    with pytest.raises(RecipeError, match="did you mean 'demo'"):
        load_recipe("dmeo")
