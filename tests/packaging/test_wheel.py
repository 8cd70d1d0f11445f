"""The wheel in a bare environment: base dependencies only, no torch, no onnx."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = (folder / "dist").glob("earlet-*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    constraints = str(ROOT / "constraints.txt")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-c", constraints, str(wheel)],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def recording(bare: Path) -> Path:
    rng = np.random.default_rng(0)
    path = bare / "noise.wav"
    soundfile.write(path, rng.normal(0, 0.05, 48_000 * 3), 48_000)
    return path


def earlet(bare: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [bare / "venv" / "bin" / "earlet", *arguments]
    return subprocess.run(command, cwd=bare, capture_output=True, text=True, check=False)


def test_the_base_install_brings_neither_torch_nor_onnx(bare: Path) -> None:
    listed = subprocess.run(
        [bare / "venv" / "bin" / "python", "-m", "pip", "list", "--format", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    names = {row["name"].lower() for row in json.loads(listed.stdout)}
    assert {"earlet", "numpy", "onnxruntime", "soundfile", "typer"} <= names
    assert not names & {"torch", "torchaudio", "onnx", "onnxscript", "scipy", "matplotlib"}


def test_the_shipped_detector_answers(bare: Path, recording: Path) -> None:
    answer = earlet(bare, "detect", recording, "--json")
    assert answer.returncode == 0, answer.stderr
    verdict = json.loads(answer.stdout)
    assert verdict["status"] == "ok"
    assert verdict["label"] in ("bonafide", "spoof")
    assert verdict["original_sample_rate_hz"] == 48_000


def test_the_shipped_detector_proves_itself_and_describes_itself(bare: Path) -> None:
    verified = earlet(bare, "verify", "default")
    assert verified.returncode == 0, verified.stderr
    described = earlet(bare, "info", "default")
    assert described.returncode == 0, described.stderr
    assert "spoof" in described.stdout


def test_the_shipped_detector_can_be_timed(bare: Path) -> None:
    timed = earlet(bare, "bench", "default", "--rounds", "5", "--no-save", "--json")
    assert timed.returncode == 0, timed.stderr
    json.loads(timed.stdout)


def test_training_says_which_extra_it_needs(bare: Path) -> None:
    refused = earlet(bare, "train", "demo", "--corpus", "corpus", "--out", "run")
    assert refused.returncode == 3
    assert "pip install 'earlet[train]'" in refused.stderr
