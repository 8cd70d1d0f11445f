"""Kills real training processes, which no exception handler can notice, and lets them go on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

# Everything that has a memory: running mean, plateau, balance, mixed targets, Adam's moments.
CHANGES = """
[[augmentation]]
kind = "mixup"
"""
TRAINING = """
epochs = 5
batch_size = 4
optimizer = "adam"
amsgrad = true
learning_rate = 2e-2
averaging = 0.5
schedule = "plateau"
plateau_epochs = 0
balance = "multiply"
balance_to = 60
label_smoothing = 0.05
clip_gradient_norm = 5.0
"""


@pytest.fixture
def command(recipe_text: str, corpus: Path, tmp_path: Path) -> list[str]:
    recipe = tmp_path / "tiny.toml"
    before, _ = recipe_text.split("[training]")
    recipe.write_text(before + CHANGES + "[training]" + TRAINING)
    options = ["--corpus", str(corpus), "--threads", "1", "--device", "cpu"]
    return [sys.executable, "-m", "earlet", "train", str(recipe), *options]


def started(command: list[str], out: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*command, "--out", str(out), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def facts(out: Path) -> dict[str, Any]:
    """run.json without the times."""
    run: dict[str, Any] = json.loads((out / "run.json").read_text())
    for row in [*run["history"], run["best"]]:
        del row["seconds"]
    return run


def test_a_killed_run_goes_on_to_the_same_weights_and_figures(
    command: list[str], tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    unbroken, process = started(command, whole), started(command, broken)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch   2 of 5"):
            break
    # An epoch lasts about a second: this is in the middle of the third.
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert len(facts(broken)["history"]) < 5
    assert facts(broken)["stopped"] == ""

    again = started(command, broken, "--resume")
    _, said = again.communicate(timeout=100)
    assert again.returncode == 0, said
    # At most the epoch at hand was lost.
    assert "epoch   2 of 5" not in said
    _, errors = unbroken.communicate(timeout=100)
    assert unbroken.returncode == 0, errors
    assert facts(broken) == facts(whole)
    assert len({row["learning_rate"] for row in facts(whole)["history"]}) > 1
    for name in ("best.safetensors", "last.safetensors"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
