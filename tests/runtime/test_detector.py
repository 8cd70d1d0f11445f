"""A detector judges any recording by its manifest, the same way every time."""

import dataclasses
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import earlet
from earlet.errors import AudioError, BundleError, UsageError
from earlet.manifest import Manifest, WindowPolicy
from earlet.windows import cut

Tone = Callable[..., np.ndarray[tuple[int], np.dtype[np.float32]]]


@pytest.fixture
def detector(shared_bundle: Path) -> earlet.Detector:
    return earlet.load(shared_bundle, precision="fp32")


def test_it_finds_what_it_was_built_to_find(detector: earlet.Detector, tone: Tone) -> None:
    low, high = detector(tone(500), 16_000), detector(tone(5000), 16_000)
    assert (low.label, high.label) == ("bonafide", "synthetic")
    assert low.score is not None
    assert high.score is not None
    assert low.score < detector.manifest.threshold <= high.score


def test_the_score_is_the_calibrated_logit_difference_of_the_original(
    detector: earlet.Detector, tone: Tone, original: Callable[[Any], Any]
) -> None:
    wave = tone(3000, seconds=0.5)
    bonafide, synthetic = original(wave[None])[0]
    verdict = detector(wave, 16_000)
    assert verdict.score == pytest.approx(0.5 * (synthetic - bonafide) + 0.125, abs=1e-4)
    assert verdict.score is not None
    assert verdict.probability == pytest.approx(1 / (1 + math.exp(-verdict.score)))
    assert (verdict.threshold, verdict.status) == (0.25, "ok")
    assert (verdict.model, verdict.sha256) == ("bands", detector.sha256)


def test_a_long_recording_pools_its_windows(detector: earlet.Detector, tone: Tone) -> None:
    wave = np.concatenate([tone(500, seconds=1.3), tone(5000, seconds=0.9)])
    whole, parts = detector(wave, 16_000), detector.windows(wave, 16_000)
    scores = [part.score for part in parts]
    assert whole.score == pytest.approx(np.mean(np.array(scores, dtype=float)))
    assert (whole.start_s, whole.end_s) == (0, 2.2)
    spans = [(part.start_s, part.end_s) for part in parts]
    assert spans[:2] == [(0, 0.5), (0.25, 0.75)]
    assert spans[-1] == (1.7, 2.2)
    assert [part.label for part in (parts[0], parts[-1])] == ["bonafide", "synthetic"]


@pytest.mark.parametrize(("pooling", "end_s"), [("first", 0.5), ("max", 2.0)])
def test_pooling_follows_the_manifest(
    write_any_bundle: Callable[..., Path], tone: Tone, pooling: Any, end_s: float
) -> None:
    policy = WindowPolicy(window_samples=8000, hop_samples=4000, min_samples=1600, pooling=pooling)
    detector = earlet.load(write_any_bundle(policy=policy))
    wave = np.concatenate([tone(500), tone(5000)])
    scores = [part.score or 0.0 for part in detector.windows(wave, 16_000)]
    whole = detector(wave, 16_000)
    assert whole.score == (scores[0] if pooling == "first" else max(scores))
    assert whole.end_s == end_s


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_the_rate_of_the_recording_does_not_matter(
    detector: earlet.Detector, tone: Tone, rate_hz: int
) -> None:
    here = detector(tone(1000, rate_hz=16_000), 16_000)
    there = detector(tone(1000, rate_hz=rate_hz), rate_hz)
    assert there.score == pytest.approx(here.score, abs=0.02)
    assert there.end_s == here.end_s == 1


@pytest.mark.parametrize("kind", ["float64", "int16", "int32"])
def test_the_type_of_the_samples_does_not_matter(
    detector: earlet.Detector, tone: Tone, kind: str
) -> None:
    wave = tone(1000)
    scale = {"int16": 2**15, "int32": 2**31}.get(kind, 1)
    same = detector((wave.astype(np.float64) * scale).astype(kind), 16_000)
    assert same.score == pytest.approx(detector(wave, 16_000).score, abs=1e-3)


def test_a_short_clip_is_tiled_and_its_own_end_is_told(
    detector: earlet.Detector, tone: Tone
) -> None:
    short = tone(1000, seconds=0.2)
    verdict = detector(short, 16_000)
    assert verdict.end_s == 0.2
    tiled = cut(short, detector.manifest.window)
    assert verdict.score == detector.scores(tiled)[0]


def test_silence_gets_no_judgement(detector: earlet.Detector) -> None:
    for quiet in (np.zeros(16_000), np.full(16_000, 1e-5)):
        verdict = detector(quiet, 16_000)
        assert verdict.status == "no_signal"
        assert (verdict.label, verdict.score, verdict.probability) == (None, None, None)
        assert verdict.end_s == 1


def test_silent_windows_do_not_dilute_the_others(detector: earlet.Detector, tone: Tone) -> None:
    half = np.concatenate([tone(5000, seconds=0.5), np.zeros(16_000, dtype=np.float32)])
    parts = detector.windows(half, 16_000)
    assert [part.status for part in parts] == ["ok", "ok", "no_signal", "no_signal", "no_signal"]
    loud = [part.score for part in parts if part.score is not None]
    assert detector(half, 16_000).score == pytest.approx(np.mean(loud))


def test_a_batch_is_the_recordings_one_by_one(detector: earlet.Detector, tone: Tone) -> None:
    recordings = [(tone(500), 16_000), (tone(5000, rate_hz=44_100), 44_100)]
    assert detector.batch(recordings) == [detector(wave, rate) for wave, rate in recordings]


def test_threads_may_share_a_detector(detector: earlet.Detector, tone: Tone) -> None:
    waves = [tone(300 * i, seconds=0.7) for i in range(1, 20)]
    alone = [detector(wave, 16_000) for wave in waves]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda wave: detector(wave, 16_000), waves)) == alone


def test_the_default_precision_is_the_bundles_and_its_hash_comes_along(
    shared_bundle: Path, detector: earlet.Detector
) -> None:
    default = earlet.load(str(shared_bundle))
    assert default.precision == "int8"
    assert default.sha256 == default.manifest.graphs["int8"].sha256 != detector.sha256


def test_a_lone_onnx_judges_like_its_bundle(
    shared_bundle: Path, detector: earlet.Detector, tone: Tone
) -> None:
    lone = earlet.load(shared_bundle / "fp32.onnx")
    assert lone(tone(700), 16_000) == detector(tone(700), 16_000)


def test_with_many_labels_the_others_are_what_the_positive_is_not(manifest: Manifest) -> None:
    from earlet.detector import label

    many = dataclasses.replace(manifest, labels=("a", "synthetic", "b"))
    assert label(0.0, many) == "not synthetic"
    assert label(0.25, many) == "synthetic"
    assert label(0.0, manifest) == "bonafide"


def test_too_short_is_refused_with_both_lengths(detector: earlet.Detector) -> None:
    with pytest.raises(AudioError, match=r"0\.05 s long.* at least 0\.1 s"):
        detector(np.full(400, 0.1), 8_000)


@pytest.mark.parametrize("rate", [0, 16, 16_000.0])
def test_a_rate_that_is_none_is_refused_first(detector: earlet.Detector, rate: Any) -> None:
    with pytest.raises(AudioError, match="sample rate should"):
        detector(np.full(400, 0.1), rate)


def test_a_precision_that_is_not_there_is_refused(shared_bundle: Path) -> None:
    with pytest.raises(UsageError, match="has no 'fp16' graph"):
        earlet.load(shared_bundle, precision="fp16")


def test_a_graph_that_answers_nan_is_not_believed(
    write_any_bundle: Callable[..., Path],
    detector: earlet.Detector,
    tone: Tone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = np.full((1, 2), np.nan, dtype=np.float32)
    monkeypatch.setattr(detector._session, "logits", lambda _: broken)
    with pytest.raises(BundleError, match="a number that is not finite"):
        detector(tone(500), 16_000)
