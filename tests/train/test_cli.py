import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from earlet.cli import run
from earlet_train.shipped import shipped_recipes


def test_train_writes_a_run_and_json_alone_on_stdout(
    corpus: Path, recipe_text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe, out = tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(recipe_text)
    command = ["train", str(recipe), "--corpus", str(corpus), "--out", str(out), "--threads", "1"]
    assert run([*command, "--epochs", "1", "--json"]) == 0
    said = capfd.readouterr()
    result = json.loads(said.out)
    assert result["epochs_planned"] == len(result["history"]) == 1
    assert said.err.startswith("epoch   1 of 1   loss")
    assert (out / "best.safetensors").is_file()
    assert run([*command, "--epochs", "1"]) == 2
    assert "--resume" in capfd.readouterr().err


def test_a_quick_look_is_an_option(
    corpus: Path, recipe_text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(recipe_text)
    command = ["train", str(recipe), "--corpus", str(corpus), "--out", str(tmp_path / "run")]
    assert run([*command, "--threads", "1", "--epochs", "1", "--clips", "16", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["train_trials"] == 16


def test_another_seed_can_be_given(
    corpus: Path, recipe_text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(recipe_text)
    command = ["train", str(recipe), "--corpus", str(corpus), "--out", str(tmp_path / "run")]
    assert run([*command, "--threads", "1", "--epochs", "1", "--seed", "9"]) == 0
    assert "Kept epoch 1" in capfd.readouterr().out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seed"] == 9


def test_baseline_prints_a_table_or_json(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["baseline", "--corpus", str(corpus), "--mixtures", "2"]) == 0
    assert "eval-known" in capfd.readouterr().out
    assert run(["baseline", "--corpus", str(corpus), "--mixtures", "2", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["pools"]["dev"]["eer"] < 0.5


def test_bad_recordings_are_named_and_skip_bad_leaves_them_out(
    corpus: Path, recipe_text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tree = Path(shutil.copytree(corpus, tmp_path / "tree"))
    gone = tree / "tiny_train" / "flac" / "T_train_005.flac"
    gone.unlink()
    recipe, out = tmp_path / "tiny.toml", tmp_path / "run"
    recipe.write_text(recipe_text)
    train = ["train", str(recipe), "--corpus", str(tree), "--out", str(out), "--threads", "1"]
    for arguments, of in (
        ([*train, "--epochs", "1"], 72),
        (["baseline", "--corpus", str(tree), "--mixtures", "2"], 96),
    ):
        assert run(arguments) == 2
        out_text, err = capfd.readouterr()
        assert out_text == ""
        assert err.startswith(f"earlet: 1 of {of} recordings cannot be used:\n  {gone} is missing")
        assert "--skip-bad" in err
        assert run([*arguments, "--skip-bad", "--json"]) == 0
        out_text, err = capfd.readouterr()
        assert json.loads(out_text)["left_out"] == {"T_train_005": "is missing"}
        assert f"left out 1 of {of} recordings that cannot be used:\n  {gone} is missing" in err


def test_a_misspelt_key_and_a_missing_corpus_are_bad_input(
    recipe_text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(recipe_text.replace("epochs", "epoch"))
    rest = ["--corpus", str(tmp_path / "none"), "--out", str(tmp_path / "run")]
    assert run(["train", str(recipe), *rest]) == 2
    assert "did you mean 'epochs'" in capfd.readouterr().err
    assert run(["train", "demo", *rest]) == 2
    assert "earlet corpus build" in capfd.readouterr().err


def test_help_shows_an_example_without_loading_torch() -> None:
    code = (
        "import sys; from earlet.cli import run; run(['train', '--help']); "
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert "earlet train demo --corpus" in done.stdout
    assert "torchrun --nproc-per-node" in done.stdout
    said = re.sub(r"[\W_]+", " ", done.stdout)
    for name in shipped_recipes():
        assert re.sub(r"[\W_]+", " ", name) in said
