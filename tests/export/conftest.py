"""A small corpus of sounds and a small network really trained on it, shared by the export tests."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from earlet.manifest import Calibration
from earlet_export.material import Material, gather
from earlet_train.calibration import operating_point
from earlet_train.checkpoint import Checkpoint, Origin, load_checkpoint, save_checkpoint
from earlet_train.network import Network, build_network
from earlet_train.recipe import parse_recipe

RATE_HZ = 16_000
WINDOW_SAMPLES = 8_000

RECIPE = """
name = "tone-or-noise"
version = "1"
description = "Tells a wavering tone (bonafide) from noise (spoof), for the tests."
labels = ["bonafide", "spoof"]
positive = "spoof"
seed = 3

[data]
sample_rate_hz = 16000
window_samples = 8000
hop_samples = 4000
min_samples = 4000

[frontend]
kind = "bands"
n_fft = 512
hop_samples = 160
bands = 64

[model]
kind = "narrow-cnn"
channels = [16, 16, 32]

[training]
epochs = 1

[export]
calibration_clips = 8
"""


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ASVspoof-style tree: per split 12 tones by three speakers, 12 noises by two systems."""
    root = tmp_path_factory.mktemp("corpora") / "sounds"
    rng = np.random.default_rng(5)
    protocols = root / "SOUNDS_cm_protocols"
    protocols.mkdir(parents=True)
    for split, suffix in (("train", "trn"), ("dev", "trl")):
        folder = root / f"SOUNDS_{split}" / "flac"
        folder.mkdir(parents=True)
        rows = []
        for i in range(24):
            name, samples = f"{split}_{i:02d}", int(rng.integers(6_000, 14_000))
            if i % 2:
                wave, system, key = _noise(samples, rng), f"A{1 + i // 2 % 2:02d}", "spoof"
            else:
                wave, system, key = _tone(samples, rng), "-", "bonafide"
            soundfile.write(folder / f"{name}.flac", wave, RATE_HZ)
            rows.append(f"speaker{i % 3} {name} - {system} {key}\n")
        (protocols / f"SOUNDS.cm.{split}.{suffix}.txt").write_text("".join(rows))
    return root


@pytest.fixture(scope="session")
def material(corpus: Path) -> Material:
    recipe = parse_recipe(RECIPE, source="tests")
    return gather(
        corpus,
        window=recipe.data.window,
        sample_rate_hz=RATE_HZ,
        calibration_clips=8,
        proof_clips=100,
        rng=np.random.default_rng(0),
    )


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, material: Material) -> Path:
    """A checkpoint in a folder, as `earlet train` leaves one."""
    folder = tmp_path_factory.mktemp("runs") / "tone"
    folder.mkdir()
    recipe = parse_recipe(RECIPE, source="tests")
    torch.manual_seed(0)
    network = build_network(recipe)
    windows = np.concatenate([heard.windows for heard in material.trials])
    labels = np.concatenate(
        [np.full(len(heard.windows), int(heard.trial.is_spoof)) for heard in material.trials]
    )
    _train(network, windows, labels)
    with torch.no_grad():
        logits = network(torch.from_numpy(windows)).numpy()
    raw = (logits[:, 1] - logits[:, 0]).astype(np.float64)
    threshold, point = operating_point(raw, labels == 1, Calibration(), data="sounds, dev")
    origin = Origin(
        epoch=1,
        seed=3,
        corpus="sounds",
        corpus_sha256="0" * 64,
        train_trials=24,
        dev_trials=24,
        dev_eer=0.0,
        threshold=threshold,
        operating_point=point,
        calibration=Calibration(),
    )
    save_checkpoint(
        folder / "best.safetensors", weights=network.state_dict(), recipe=recipe, origin=origin
    )
    return folder


@pytest.fixture
def checkpoint(run_folder: Path) -> Checkpoint:
    return load_checkpoint(run_folder)


@pytest.fixture
def network(checkpoint: Checkpoint) -> Network:
    return checkpoint.network()


def with_promises(checkpoint: Checkpoint, **promises: float) -> Checkpoint:
    """The same checkpoint, promising something else."""
    changed = dataclasses.replace(checkpoint.recipe.promises, **promises)
    return dataclasses.replace(
        checkpoint, recipe=dataclasses.replace(checkpoint.recipe, promises=changed)
    )


def _train(network: Network, windows: np.ndarray, labels: np.ndarray) -> None:
    """Thirty steps on everything: enough for tones and noise."""
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    waveforms, targets = torch.from_numpy(windows), torch.from_numpy(labels)
    for _ in range(30):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(waveforms), targets)
        torch.autograd.backward(loss)
        optimizer.step()
    network.eval()


def _tone(samples: int, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(samples) / RATE_HZ
    hz = rng.uniform(150, 2_000) * (1 + 0.02 * np.sin(2 * np.pi * 5 * t))
    wave = np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ) + 0.01 * rng.standard_normal(samples)
    return (0.2 * wave).astype(np.float32)


def _noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    return (0.1 * rng.standard_normal(samples)).astype(np.float32)
