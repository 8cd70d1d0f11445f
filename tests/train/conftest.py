"""A corpus small enough to train on in seconds, and a recipe that fits it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

RATE_HZ = 16_000
COUNTS = {"train": 48, "dev": 24, "eval": 24}
SUFFIXES = {"train": "train.trn", "dev": "dev.trl", "eval": "eval.trl"}

RECIPE = """
name = "tiny"
version = "1"
description = "For tests"
seed = 3
[data]
window_samples = 12000
hop_samples = 6000
min_samples = 4000
[frontend]
kind = "bands"
bands = 32
[model]
kind = "narrow-cnn"
channels = [16, 16, 16]
[[augmentation]]
kind = "gain"
[[augmentation]]
kind = "noise"
probability = 0.3
low_db = 30.0
[[augmentation]]
kind = "band-mask"
bins = 4
frames = 8
[training]
epochs = 3
batch_size = 8
learning_rate = 5e-3
averaging = 0.5
schedule = "cosine"
"""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def recipe_text() -> str:
    return RECIPE


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ASVspoof 2019 tree: voices with vibrato and breath against monotonous buzzes."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(11)
    protocols = root / "tiny_cm_protocols"
    protocols.mkdir()
    for split, count in COUNTS.items():
        audio = root / f"tiny_{split}" / "flac"
        audio.mkdir(parents=True)
        rows = []
        for i in range(count):
            spoof, name = i % 2 == 1, f"T_{split}_{i:03}"
            system = "-" if not spoof else ["A01", "A02" if split != "eval" else "A07"][i // 2 % 2]
            rows.append(f"S{split}{i % 3} {name} - {system} {'spoof' if spoof else 'bonafide'}")
            waveform = buzz(rng) if spoof else voice(rng)
            soundfile.write(audio / f"{name}.flac", waveform, RATE_HZ, subtype="PCM_16")
        (protocols / f"tiny.cm.{SUFFIXES[split]}.txt").write_text("\n".join(rows) + "\n")
    return root


def voice(rng: np.random.Generator) -> NDArray[np.float64]:
    """Harmonics that fall off and waver, over breath: 0.6 to 1.2 s."""
    t = np.arange(int(rng.uniform(0.6, 1.2) * RATE_HZ)) / RATE_HZ
    pitch = rng.uniform(100, 220) * (1 + 0.04 * np.sin(2 * np.pi * rng.uniform(4, 7) * t))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    tone = sum(np.sin(k * phase) / k for k in range(1, 20))
    return levelled(tone + 0.1 * rng.standard_normal(len(t)), rng)


def buzz(rng: np.random.Generator) -> NDArray[np.float64]:
    """Equally strong harmonics at one pitch."""
    t = np.arange(int(rng.uniform(0.6, 1.2) * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * rng.uniform(100, 220) * t
    tone = sum(np.sin(k * phase) for k in range(1, 30))
    return levelled(tone + 0.05 * rng.standard_normal(len(t)), rng)


def levelled(x: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Peak between 0.1 and 0.5, so that level tells nothing."""
    scaled: NDArray[np.float64] = x * (rng.uniform(0.1, 0.5) / np.abs(x).max())
    return scaled
