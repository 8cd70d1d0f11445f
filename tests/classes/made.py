"""A small corpus of three kinds of sound, a recipe for it, and answers of known accuracy."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from earlet.protocol import Trial, read_protocol
from earlet.table import write_table
from earlet_export.studies.grid import Answer, Done
from earlet_export.studies.variant import Variant

RATE_HZ, SAMPLES = 16_000, 6_000
LABELS = ("hiss", "high", "low")
SPREAD = {"train": 10, "dev": 4, "eval": 10}

RECIPE = """
name = "tiny-sounds"
version = "1"
description = "For tests"
labels = ["hiss", "high", "low"]
positive = "hiss"
[data]
window_samples = 6000
hop_samples = 6000
min_samples = 500
[frontend]
kind = "log-mel"
n_fft = 1024
hop_samples = 320
mels = 64
[model]
kind = "narrow-cnn"
channels = [4, 16]
[[augmentation]]
kind = "gain"
[[augmentation]]
kind = "band-mask"
bins = 6
frames = 2
[training]
epochs = 3
batch_size = 8
learning_rate = 1e-2
patience = 1
"""


def write_corpus(
    root: Path, *, spread: dict[str, int] | None = None, labels: Sequence[str] = LABELS
) -> Path:
    """`SPREAD` recordings of each label in each split: noise, high tones, low tones. -> `root`."""
    root.mkdir(parents=True)
    (root / "corpus.json").write_text("{}")
    rng = np.random.default_rng(6)
    time_s = np.arange(SAMPLES) / RATE_HZ
    bands_hz = {"high": (2_000, 4_000), "low": (100, 400)}
    for split, count in (spread or SPREAD).items():
        trials = []
        for label in labels:
            for i in range(count):
                wave = 0.1 * rng.standard_normal(SAMPLES)
                if label in bands_hz:
                    tone = np.sin(2 * np.pi * rng.uniform(*bands_hz[label]) * time_s)
                    wave = 0.05 * wave + 0.3 * tone
                path = root / f"{split}-{label}-{i}.flac"
                soundfile.write(path, wave, RATE_HZ)
                trials.append(
                    Trial(speaker=f"s{i}", file=path.stem, system="-", key=label, path=path)
                )
        with (root / f"{split}.tsv").open("w", newline="") as stream:
            write_table(stream, trials)
    return root


def answered(variant: Variant, seed: int, *, wrong: int) -> Answer:
    """An answer that errs on the first `wrong` recordings of each label of eval."""
    trials = read_protocol(variant.corpus, "eval")
    labels: Sequence[str] = variant.recipe.labels
    met = dict.fromkeys(labels, 0)
    scores = np.zeros((len(trials), len(labels)))
    for row, trial in zip(scores, trials, strict=True):
        true = labels.index(trial.key)
        row[(true + (met[trial.key] < wrong)) % len(labels)] = 1.0
        met[trial.key] += 1
    done = Done(
        variant=variant.name,
        seed=seed,
        recipe_sha256="",
        corpus=variant.corpus.name,
        corpus_sha256="",
        epochs=1,
        best_epoch=1,
        train_recordings=30,
        dev_recordings=12,
        judged=len(trials),
        parameters=1_000,
        threshold=0.0,
        minutes=0.1,
        threads=1,
        device="cpu",
    )
    return Answer(variant=variant, done=done, dev=np.zeros((0, 3)), eval=scores)
