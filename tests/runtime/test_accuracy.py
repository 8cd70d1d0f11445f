"""Error rates and flips are those of the logits, for each candidate and pool."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from earlet.accuracy import measure_accuracy
from earlet.labelled import LabelledSet, read_labelled
from earlet.manifest import Calibration, Manifest, WindowPolicy

Floats = NDArray[np.float32]


@pytest.fixture
def manifest(manifest: Manifest) -> Manifest:
    """A contract that fits the corpus, which judges by the sign of the log-odds."""
    return dataclasses.replace(
        manifest,
        sample_rate_hz=8_000,
        window=WindowPolicy(window_samples=4_000, hop_samples=2_000, min_samples=800),
        threshold=0.0,
        calibration=Calibration(),
    )


@pytest.fixture
def labelled(tone_corpus: Path) -> LabelledSet:
    return read_labelled(tone_corpus, limit=None, seed=0)


def _logits(evidence: Floats) -> Floats:
    return np.stack([-evidence, evidence], axis=1).astype(np.float32)


def tonal(windows: Floats) -> Floats:
    """Knows every attack of the tiny corpus: a tone has one bin that towers over its median."""
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    return _logits(np.log(power.max(axis=1) / np.median(power, axis=1)) - 6)


def low_tone(windows: Floats) -> Floats:
    """Knows only what training saw, a low tone."""
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    below_1_khz = power[:, : power.shape[1] // 4]
    return _logits(np.log(below_1_khz.max(axis=1) / np.median(power, axis=1)) - 6)


def test_a_candidate_that_knows_all_attacks_makes_no_error(
    manifest: Manifest, labelled: LabelledSet
) -> None:
    found = measure_accuracy(
        {"good": tonal}, manifest=manifest, labelled=labelled, reference="good"
    )["good"]
    assert {name: rate.eer for name, rate in found.pools.items()} == dict.fromkeys(
        ("known", "unknown", "pooled", "tts", "conversion"), 0.0
    )
    assert found.attacks == {"A01": 0.0, "A08": 0.0}
    assert found.reference is None
    assert found.flips == 0


def test_a_candidate_that_knows_the_low_tone_fails_on_the_unknown_attack_only(
    manifest: Manifest, labelled: LabelledSet
) -> None:
    found = measure_accuracy(
        {"half": low_tone}, manifest=manifest, labelled=labelled, reference="half"
    )["half"]
    assert found.pools["known"].eer == 0.0
    assert found.pools["unknown"].eer > 0.2
    assert found.attacks["A08"] == found.pools["unknown"].eer
    unknown = found.pools["unknown"]
    assert unknown.low <= unknown.eer <= unknown.high
    assert (unknown.bona_fide, unknown.spoof) == (12, 12)


def test_flips_count_verdicts_that_differ_from_the_reference(
    manifest: Manifest, labelled: LabelledSet
) -> None:
    def opposite(windows: Floats) -> Floats:
        return -tonal(windows)

    found = measure_accuracy(
        {"original": tonal, "int8": opposite, "fp32": tonal},
        manifest=manifest,
        labelled=labelled,
        reference="original",
    )
    assert (found["int8"].flips, found["int8"].decisions) == (36, 36)
    assert found["fp32"].flips == 0
    assert found["int8"].reference == "original"
    assert found["int8"].pools["pooled"].eer == 1.0


def test_the_same_scores_get_the_same_interval_again(
    manifest: Manifest, labelled: LabelledSet
) -> None:
    one, two = (
        measure_accuracy({"a": low_tone}, manifest=manifest, labelled=labelled, reference="a")
        for _ in range(2)
    )
    assert one == two


def test_every_trial_of_every_candidate_is_told_to_the_progress(
    manifest: Manifest, labelled: LabelledSet
) -> None:
    told: list[None] = []
    measure_accuracy(
        {"a": tonal, "b": tonal},
        manifest=manifest,
        labelled=labelled,
        reference="a",
        on_trial=lambda: told.append(None),
    )
    assert len(told) == 72


def test_the_interval_resamples_speakers_and_not_single_trials(
    manifest: Manifest, labelled: LabelledSet
) -> None:
    """A candidate that is wrong on one speaker of four, each time: that luck is the interval."""
    takes = [soundfile.read(t.path)[0] for t in labelled.trials if t.speaker == "S1"]
    length = manifest.window.window_samples
    # Each take is a little longer than a window, so it has two: from its start and to its end.
    wrong = [first for take in takes for first in (take[0], take[len(take) - length])]

    def fooled_by_one_voice(windows: Floats) -> Floats:
        is_marked = np.array([any(abs(w[0] - first) < 1e-6 for first in wrong) for w in windows])
        return np.where(is_marked[:, None], -tonal(windows), tonal(windows))

    found = measure_accuracy(
        {"a": fooled_by_one_voice}, manifest=manifest, labelled=labelled, reference="a"
    )["a"].pools["known"]
    assert found.eer == 0.25
    assert found.low == 0.0, "without that speaker it makes no error, and that may be drawn"
    assert found.high >= 0.5
