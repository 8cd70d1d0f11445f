"""Whole recordings are scored alike, whatever turns windows into logits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.bundle import Bundle
from earlet.detector import Detector
from earlet.errors import AudioError, CorpusError
from earlet.manifest import Pooling, WindowPolicy
from earlet.protocol import read_protocol
from earlet.scores import calibrate
from earlet.scoring import score_trials, score_waveforms
from earlet.windows import cut


def test_they_are_the_scores_of_the_detector(shared_bundle: Path, corpus: Path) -> None:
    bundle = Bundle.open(shared_bundle)
    detector = Detector(bundle)
    manifest = bundle.manifest
    trials = read_protocol(corpus, "eval")
    raw = score_trials(
        trials,
        bundle.session().logits,
        policy=manifest.window,
        sample_rate_hz=manifest.sample_rate_hz,
        positive_index=manifest.positive_index,
        batch_windows=3,
    )
    verdicts = [detector(*soundfile.read(trial.path, dtype="float32")) for trial in trials]
    expected = np.array([verdict.score for verdict in verdicts], dtype=float)
    np.testing.assert_allclose(calibrate(raw, manifest.calibration), expected, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_the_batch_size_changes_nothing_and_is_never_exceeded(
    shared_bundle: Path, tone: Any, batch: int
) -> None:
    bundle = Bundle.open(shared_bundle)
    session = bundle.session()
    seen: list[int] = []
    heard: list[int] = []

    def logits(windows: Any) -> Any:
        seen.append(len(windows))
        return session.logits(windows)

    waves = [tone(400 * i, seconds=0.3 * i) for i in range(1, 8)]
    policy = bundle.manifest.window
    scores = score_waveforms(
        waves,
        logits,
        policy=policy,
        positive_index=1,
        batch_windows=batch,
        on_progress=heard.append,
    )
    alone = [score_waveforms([w], session.logits, policy=policy, positive_index=1) for w in waves]
    np.testing.assert_allclose(scores, np.concatenate(alone), atol=1e-9)
    assert max(seen) <= batch
    assert heard == list(range(1, 8))


def test_no_recording_gives_no_score(shared_bundle: Path) -> None:
    bundle = Bundle.open(shared_bundle)
    logits: Callable[[Any], Any] = bundle.session().logits
    policy = bundle.manifest.window
    assert score_waveforms([], logits, policy=policy, positive_index=1).shape == (0,)
    short = np.zeros(10, dtype=np.float32)
    with pytest.raises(AudioError, match="at least 1600"):
        score_waveforms([short], logits, policy=policy, positive_index=1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_text("text"), "is damaged or no audio"),
        (lambda path: soundfile.write(path, np.zeros(9000), 8_000), "has 8000 Hz, expected 16000"),
        (lambda path: soundfile.write(path, np.zeros((9000, 2)), 16_000), "has 2 channels"),
        (lambda path: soundfile.write(path, np.zeros(100), 16_000), "found 100 samples"),
    ],
)
def test_a_trial_that_cannot_be_scored_is_named(
    shared_bundle: Path, corpus: Path, damage: Callable[[Path], object], message: str
) -> None:
    bundle = Bundle.open(shared_bundle)
    trials = read_protocol(corpus, "eval")[:3]
    damage(trials[1].path)
    with pytest.raises(CorpusError, match=rf"{trials[1].file}\.flac:? .*{message}"):
        score_trials(
            trials,
            bundle.session().logits,
            policy=bundle.manifest.window,
            sample_rate_hz=16_000,
            positive_index=1,
        )


def loudness(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits [B, 2] whose difference is the window's mean."""
    means = windows.mean(axis=1)
    return np.stack([np.zeros_like(means), means], axis=1)


def recordings() -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(n).astype(np.float32) for n in (40, 100, 101, 950, 10, 333)]


@pytest.mark.parametrize("pooling", ["mean", "max", "first"])
def test_windows_become_one_score_by_the_policy_s_pooling(pooling: Pooling) -> None:
    policy = WindowPolicy(window_samples=100, hop_samples=60, min_samples=10, pooling=pooling)
    scores = score_waveforms(
        recordings(), loudness, policy=policy, positive_index=1, batch_windows=3
    )
    means = [cut(w, policy).mean(axis=1) for w in recordings()]
    expected = {
        "mean": [float(m.mean()) for m in means],
        "max": [float(m.max()) for m in means],
        "first": [float(m[0]) for m in means],
    }[pooling]
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    turned = score_waveforms(recordings(), loudness, policy=policy, positive_index=0)
    if pooling != "max":
        np.testing.assert_allclose(turned, -scores, atol=1e-6)
