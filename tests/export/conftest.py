"""A small corpus of sounds and a small network really trained on it, shared by the export tests."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from earlet.manifest import Calibration
from earlet.protocol import Trial
from earlet.table import write_table
from earlet_export.export import Exported, export_bundle
from earlet_export.material import Material, gather
from earlet_export.trace import Traced, trace
from earlet_train.calibration import operating_point
from earlet_train.checkpoint import Checkpoint, Origin, load_checkpoint, save_checkpoint
from earlet_train.network import Network, build_network
from earlet_train.recipe import parse_recipe

Array = NDArray[np.float32]

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

RESIDUAL_RECIPE = """
name = "small-spec-resnet"
version = "1"
description = "The published network, smaller: residual sums, leaky ReLUs, a batch norm left over."

[data]
window_samples = 8000
hop_samples = 4000
min_samples = 4000

[frontend]
kind = "spectrogram"
n_fft = 256
hop_samples = 128

[model]
kind = "spec-resnet"
channels = 16
blocks = 3
hidden = 32

[training]
epochs = 1
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
    for split, suffix in (("train", "trn"), ("dev", "trl"), ("eval", "trl")):
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
def spoofing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of short tones (bonafide) and noises (spoof) by five speakers.

    train: 16 and 16; dev: 20 and 20; eval: 40 and 60, of which 20 are of A03, which train has not.
    """
    root = tmp_path_factory.mktemp("corpora") / "voices"
    root.mkdir()
    (root / "corpus.json").write_text("{}")
    rng = np.random.default_rng(6)
    for split, bona_fide, spoofed in (("train", 16, 16), ("dev", 20, 20), ("eval", 40, 60)):
        attacks = ("A01", "A02", "A03") if split == "eval" else ("A01", "A02")
        trials = []
        for i in range(bona_fide + spoofed):
            is_spoof, path = i >= bona_fide, root / f"{split}_{i:03d}.flac"
            soundfile.write(path, (_noise if is_spoof else _tone)(3_000, rng), RATE_HZ)
            trials.append(
                Trial(
                    speaker=f"speaker{i % 5}",
                    file=path.stem,
                    system=attacks[i % len(attacks)] if is_spoof else "-",
                    key="spoof" if is_spoof else "bonafide",
                    path=path,
                )
            )
        with (root / f"{split}.tsv").open("w", newline="") as stream:
            write_table(stream, trials)
    return root


@pytest.fixture(scope="session")
def material(corpus: Path) -> Material:
    recipe = parse_recipe(RECIPE, source="tests")
    return gather(
        corpus,
        positive="spoof",
        window=recipe.data.window,
        sample_rate_hz=RATE_HZ,
        calibration_clips=8,
        proof_clips=100,
        held_out_clips=100,
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


@pytest.fixture(scope="session")
def checkpoint(run_folder: Path) -> Checkpoint:
    return load_checkpoint(run_folder)


@pytest.fixture(scope="session")
def network(checkpoint: Checkpoint) -> Network:
    return checkpoint.network()


@pytest.fixture(scope="session")
def traced(network: Network) -> Traced:
    return trace(network, window_samples=WINDOW_SAMPLES)


@pytest.fixture(scope="session")
def residual_traced(residual: Network) -> Traced:
    return trace(residual, window_samples=WINDOW_SAMPLES)


@pytest.fixture(scope="session")
def waveforms() -> Array:
    """Eight windows [8, T] of tones and noise at various levels."""
    rng = np.random.default_rng(8)
    made = [(_tone if i % 2 else _noise)(WINDOW_SAMPLES, rng) for i in range(8)]
    return np.stack([wave * 0.5**i for i, wave in enumerate(made)]).astype(np.float32)


@pytest.fixture(scope="session")
def residual(waveforms: Array) -> Network:
    """A small Spec-ResNet with random weights and batch statistics of real features."""
    torch.manual_seed(1)
    network = build_network(parse_recipe(RESIDUAL_RECIPE, source="tests")).train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.from_numpy(waveforms))
    return network.eval()


@pytest.fixture(scope="session")
def exported(
    checkpoint: Checkpoint, material: Material, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    out = tmp_path_factory.mktemp("bundles") / "tone"
    return export_bundle(checkpoint, material, out=out, data="sounds", precision="int8")


@pytest.fixture(scope="session")
def crushed(checkpoint: Checkpoint) -> Checkpoint:
    """The same function, written so that int8 cannot hold it everywhere.

    One channel between body.9 and tall.0 is 4096 times larger, and what reads it divides again:
    exact in float, but eight bits of that tensor are all spent on the one channel.
    """
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    for name in ("model.body.10.weight", "model.body.10.bias"):
        weights[name][5] *= 4096
    weights["model.tall.0.weight"][:, 5] /= 4096
    return dataclasses.replace(checkpoint, weights=weights)


@pytest.fixture(scope="session")
def promising(checkpoint: Checkpoint) -> Callable[..., Checkpoint]:
    """The same checkpoint, promising something else: `promising(int8_max_flip_rate=0.0)`."""

    def changed(**promises: float) -> Checkpoint:
        recipe = checkpoint.recipe
        promised = dataclasses.replace(recipe.promises, **promises)
        return dataclasses.replace(
            checkpoint, recipe=dataclasses.replace(recipe, promises=promised)
        )

    return changed


def _train(network: Network, windows: Array, labels: NDArray[np.int64]) -> None:
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


def _tone(samples: int, rng: np.random.Generator) -> Array:
    t = np.arange(samples) / RATE_HZ
    hz = rng.uniform(150, 2_000) * (1 + 0.02 * np.sin(2 * np.pi * 5 * t))
    wave = np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ) + 0.01 * rng.standard_normal(samples)
    return (0.2 * wave).astype(np.float32)


def _noise(samples: int, rng: np.random.Generator) -> Array:
    return (0.1 * rng.standard_normal(samples)).astype(np.float32)
