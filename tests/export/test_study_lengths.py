"""The study `lengths`: small networks for real, and what every shipped recipe says of itself."""

import json
from pathlib import Path

import pytest
import torch

from earlet.cli import run
from earlet_export.lengths import takes, why_fixed
from earlet_export.studies.lengths import LengthRow, length_row
from earlet_export.studies.lengths_page import lengths_table
from earlet_train.network import build_network
from earlet_train.recipe import load_recipe, parse_recipe, shipped_recipes

TABLES = """
name = "{name}"
version = "1"
description = "For the tests."
[data]
window_samples = 8000
hop_samples = 4000
min_samples = 3000
[frontend]
kind = "log-mel"
mels = 32
{model}
[training]
epochs = 1
{promises}
"""
OPEN = '[model]\nkind = "narrow-cnn"\nchannels = [16, 16, 32]'
FLAT = '[model]\nkind = "vgg"\ngroups = [[4], [8]]'


def written(folder: Path, name: str, model: str, promises: str = "") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(TABLES.format(name=name, model=model, promises=promises))
    return path


def test_the_command_tries_recipes_and_writes_what_fixes_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["study", "lengths", "--out", str(tmp_path / "study"), "--json"]
    for name, model in (("open", OPEN), ("flat", FLAT)):
        asked += ["--recipe", str(written(tmp_path, name, model))]
    assert run(asked) == 0
    opened, flat = json.loads(capfd.readouterr().out)["rows"]
    assert opened["why_not"] == ""
    assert opened["open_from_samples"] == 3000
    assert [at["samples"] for at in opened["found"]] == [3000, 5333, 8000, 26667]
    assert max(at["graphs"]["fp32"]["logits"]["max_abs"] for at in opened["found"]) <= 1e-4
    assert dict(opened["slower"])["fp32"] > 0
    assert "model: its linear layer reads the flattened map" in flat["why_not"]
    page = (tmp_path / "study" / "lengths.md").read_text()
    assert "| open | yes | 0.188 s | 3000, 5333, 8000, 26667 |" in page
    assert "| flat | no |" in page
    assert "**flat**: model: its linear layer reads the flattened map" in page


def test_a_promise_that_does_not_hold_makes_a_no_with_its_numbers() -> None:
    text = TABLES.format(name="strict", model=OPEN, promises="[promises]\nfp32_max_abs_logit=1e-12")
    row = length_row(parse_recipe(text, source="tests"))
    assert "promised: at most 1e-12" in row.why_not
    assert row.found
    assert "| strict | no | 0.188 s |" in lengths_table([row]).markdown()


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_recipe_that_says_nothing_takes_other_lengths_and_one_that_does_not_says_why(
    name: str,
) -> None:
    recipe = load_recipe(name)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build_network(recipe).eval()
    fixed, window = why_fixed(network), recipe.data.window_samples
    odd = 2 * window // 3 | 1
    if not takes(network, odd):
        assert fixed
    if not fixed:
        assert takes(network, odd)
        with torch.no_grad():
            frames = [network.features(torch.zeros(1, n)).shape[3] for n in (odd, window)]
        assert frames[0] < frames[1]


def test_the_table_stands_without_rows_of_one_kind() -> None:
    row = LengthRow(recipe="r", sample_rate_hz=16_000, why_not="model: because")
    assert "**r**: model: because" in lengths_table([row]).markdown()
    assert "r " in lengths_table([row]).text()
