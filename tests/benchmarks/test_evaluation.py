"""A detector of many classes, judged by class from real recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.bundle import find
from earlet.labelled import read_labelled
from earlet.protocol import Trial
from earlet.table import write_table
from earlet_bench.evaluation.binary import Settings
from earlet_bench.evaluation.evaluation import evaluate_subject
from earlet_bench.evaluation.subject import Subject


def _tones(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Windows [B, T] -> logits [B, 3]: log power at 300, 1000 and 2000 Hz."""
    time_s = np.arange(windows.shape[1]) / 8_000
    waves = np.exp(-2j * np.pi * np.outer([300.0, 1_000.0, 2_000.0], time_s))
    logits: NDArray[np.float32] = np.log(np.abs(windows @ waves.T) + 1e-3).astype(np.float32)
    return logits


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Three classes of tones; one recording says something else than its label."""
    root = tmp_path / "tones"
    root.mkdir()
    rng = np.random.default_rng(2)
    trials = []
    for label, hz in (("low", 300.0), ("middle", 1_000.0), ("high", 2_000.0)):
        for take in range(4):
            wrong = (label, take) == ("high", 3)
            wave = np.sin(2 * np.pi * (300.0 if wrong else hz) * np.arange(5_000) / 8_000)
            path = Path(f"{label}_{take}.wav")
            soundfile.write(root / path, 0.3 * wave + 0.01 * rng.normal(size=5_000), 8_000)
            trials.append(
                Trial(speaker=f"p{take}", file=path.stem, system="-", key=label, path=path)
            )
    with (root / "eval.tsv").open("w", newline="") as stream:
        write_table(stream, trials)
    (root / "corpus.json").write_text("{}")
    return root


def test_a_detector_of_many_classes_is_judged_by_class(exported: Path, tones: Path) -> None:
    manifest = find(exported).manifest
    subject = Subject(
        name="tones",
        version="1",
        precision="fp32",
        sha256="0" * 64,
        labels=("low", "middle", "high"),
        positive="high",
        sample_rate_hz=8_000,
        window=manifest.window,
        calibration=manifest.calibration,
        threshold=0.0,
        logits=_tones,
    )
    labelled = read_labelled(tones, limit=None, seed=0)
    judged = evaluate_subject(subject, labelled, settings=Settings(resamples=20))
    report = judged.evaluation.classes
    assert judged.evaluation.binary is None
    assert report is not None
    assert report.confusion == ((4, 0, 0), (0, 4, 0), (1, 0, 3))
    assert report.macro_accuracy.value == pytest.approx(11 / 12)
    assert judged.scores.shape == (12, 3)
    assert np.exp(judged.scores[0]).sum() <= 1.0
