"""The corpora that adopted models are judged on: noise without a voice, of the same colour."""

from pathlib import Path

import numpy as np
import soundfile
from foreign.corpora import degraded, speaking, surrogate

from earlet.protocol import read_protocol


def human_corpus(root: Path) -> Path:
    """An ASVspoof-style tree of six wavering tones by three speakers, and a spoof in each split."""
    rng = np.random.default_rng(1)
    (root / "X_cm_protocols").mkdir(parents=True)
    for split, suffix in (("train", "trn"), ("dev", "trl")):
        (root / f"X_{split}" / "flac").mkdir(parents=True)
        lines = []
        for i in range(7):
            n = np.arange(int(rng.integers(8000, 16000)))
            wave = 0.3 * np.sin(2 * np.pi * (200 + 50 * i) * n / 16_000 + np.sin(n / 900))
            soundfile.write(root / f"X_{split}" / "flac" / f"{split}{i}.flac", wave, 16_000)
            lines.append(f"s{i % 3} {split}{i} - " + ("A01 spoof" if i == 6 else "- bonafide"))
        (root / "X_cm_protocols" / f"X.cm.{split}.{suffix}.txt").write_text("\n".join(lines))
    return root


def test_surrogate_noise_has_the_same_spectrum_and_loudness() -> None:
    rng = np.random.default_rng(0)
    wave = np.convolve(rng.normal(size=8000), np.hanning(9), "same").astype(np.float32)
    noise = surrogate(wave, rng, samples=8000)
    np.testing.assert_allclose(
        np.abs(np.fft.rfft(noise))[1:-1], np.abs(np.fft.rfft(wave))[1:-1], rtol=1e-3, atol=1e-3
    )
    assert abs(np.corrcoef(wave, noise)[0, 1]) < 0.1


def test_each_human_recording_gives_one_of_each_label(tmp_path: Path) -> None:
    source = human_corpus(tmp_path / "human")
    for make, labels in ((speaking, {"speech", "other"}), (degraded, {"clean", "degraded"})):
        made = make(source, tmp_path / make.__name__, per_split=4)
        for split in ("train", "dev"):
            trials = read_protocol(made, split)
            assert len(trials) == 8
            assert {t.key for t in trials} == labels
            assert all(t.path.is_file() for t in trials)
            assert {t.speaker for t in trials} <= {"s0", "s1", "s2"}


def test_the_same_corpus_comes_out_each_time(tmp_path: Path) -> None:
    source = human_corpus(tmp_path / "human")
    first = degraded(source, tmp_path / "a", per_split=3)
    again = degraded(source, tmp_path / "b", per_split=3)
    for file in sorted((first / "flac").iterdir()):
        assert file.read_bytes() == (again / "flac" / file.name).read_bytes()
