import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from earlet.errors import BundleError
from earlet_train.adopt_cli import adopt
from earlet_train.network import build_network
from earlet_train.recipe import load_recipe

RECIPE = """
name = "small-lcnn"
version = "1"
description = "For tests"
[data]
window_samples = 12000
hop_samples = 6000
min_samples = 4000
[frontend]
kind = "bands"
bands = 32
[model]
kind = "lcnn"
[training]
epochs = 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small-lcnn.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def weights(tmp_path: Path, recipe: Path) -> Path:
    """As the baseline of 2021 would have stored them, with its single output."""
    torch.manual_seed(0)
    stored = {}
    for name, value in build_network(load_recipe(recipe)).model.state_dict().items():
        theirs = (
            name.replace("body.", "m_transform.0.")
            .replace("lstms.0.", "m_before_pooling.0.0.l_blstm.")
            .replace("lstms.1.", "m_before_pooling.0.1.l_blstm.")
            .replace("output.", "m_output_act.0.")
        )
        stored[theirs] = value[:1] if name.startswith("output.") else value
    path = tmp_path / "trained_network.pt"
    torch.save(stored, path)
    return path


def app() -> typer.Typer:
    verbs = typer.Typer()
    verbs.command()(adopt)
    return verbs


def test_released_weights_become_a_run_folder_and_a_line_that_says_what_comes_next(
    recipe: Path, weights: Path, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    told = CliRunner().invoke(
        app(), [str(recipe), str(weights), "--corpus", str(corpus), "--out", str(out)]
    )
    assert told.exit_code == 0, told.output
    assert "on 24 recordings" in told.stdout
    assert f"earlet export {out}" in told.stdout
    assert (out / "best.safetensors").is_file()


def test_json_is_all_there_is_on_stdout(
    recipe: Path, weights: Path, corpus: Path, tmp_path: Path
) -> None:
    arguments = [str(recipe), str(weights), "--corpus", str(corpus), "--out", str(tmp_path / "run")]
    told = CliRunner().invoke(app(), [*arguments, "--clips", "8", "--json"])
    assert json.loads(told.stdout)["dev_trials"] == 8
    again = CliRunner().invoke(app(), [*arguments[:1], str(tmp_path / "no.pth"), *arguments[2:4],
                                       "--out", str(tmp_path / "other")])  # fmt: skip
    assert isinstance(again.exception, BundleError)
