import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from earlet.errors import UsageError
from earlet_train.distributed import Alone, join

PLAIN = Path(__file__).with_name("run_plain.py")
TRAINING = """
[training]
epochs = 2
batch_size = 7
optimizer = "sgd"
learning_rate = 0.2
class_weights = [3.0, 1.0]
averaging = 0.5
"""


def torchrun(processes: int) -> list[str]:
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(processes)),
    ]


def test_two_processes_train_what_one_trains(
    corpus: Path, recipe_text: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "plain.toml"
    before = recipe_text.replace('"narrow-cnn"', '"plain"').split("[[augmentation]]")[0]
    recipe.write_text(before + '[[augmentation]]\nkind = "gain"\n' + TRAINING)
    # 43 = 6 * 7 + 1: in the last batch the second process has nothing.
    rest = ["train", str(recipe), "--corpus", str(corpus), "--device", "cpu", "--clips", "43"]
    commands = {
        "one": [sys.executable, str(PLAIN), *rest],
        "two": [*torchrun(2), str(PLAIN), *rest],
    }
    running = {
        name: subprocess.Popen(
            [*command, "--out", str(tmp_path / name), "--threads", "1", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        for name, command in commands.items()
    }
    runs: dict[str, Any] = {}
    for name, process in running.items():
        said, errors = process.communicate(timeout=100)
        assert process.returncode == 0, errors
        # One JSON and one line per epoch: only the first process spoke.
        runs[name] = json.loads(said)
        assert [line[:14] for line in errors.splitlines() if line.startswith("epoch")] == [
            "epoch   1 of 2",
            "epoch   2 of 2",
        ]
    assert (runs["one"]["processes"], runs["two"]["processes"]) == (1, 2)
    one, two = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-4, atol=1e-5)
    for key in ("train_loss", "dev_loss"):
        pairs = [[row[key] for row in runs[name]["history"]] for name in ("one", "two")]
        assert pairs[0] == pytest.approx(pairs[1], rel=1e-5)
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == sorted(
        p.name for p in (tmp_path / "one").iterdir()
    )


def test_alone_nothing_is_shared_and_nothing_is_loaded() -> None:
    alone = join("cpu")
    assert type(alone) is Alone
    assert (alone.rank, alone.size) == (0, 1)
    values = torch.arange(3.0)
    assert alone.sum(values) is values
    assert alone.shares(values.sum(), 3) == (1.0, 1.0)
    assert alone.first(lambda: "mine") == "mine"
    code = (
        "import sys, earlet_train.run, earlet_train.distributed as d; d.join('cpu'); "
        "assert 'lightning_fabric' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_numbered_gpu_makes_no_sense_for_several_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="torchrun started 2 processes"):
        join("cuda:1")
