"""Rates of several classes, by hand and beside sklearn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from earlet.errors import CorpusError
from earlet_bench.evaluation.multiclass import report_classes

LABELS = ("cat", "dog", "hen")


def test_six_trials_by_hand() -> None:
    truth = ["cat", "cat", "cat", "dog", "dog", "hen"]
    said = np.array([0, 0, 1, 1, 1, 0])
    report = report_classes(
        np.eye(3)[said],
        truth,
        labels=LABELS,
        groups=[str(i) for i in range(6)],
        resamples=20,
    )
    assert report.confusion == ((2, 1, 0), (0, 2, 0), (1, 0, 0))
    assert [r.value for r in report.recalls] == pytest.approx([2 / 3, 1, 0])
    assert report.macro_accuracy.value == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert report.accuracy.value == pytest.approx(4 / 6)


def test_rates_are_sklearns_and_lie_in_their_intervals() -> None:
    rng = np.random.default_rng(1)
    true = rng.choice(3, size=150, p=[0.6, 0.3, 0.1])
    scores = rng.normal(size=(150, 3)) + 1.2 * np.eye(3)[true]
    report = report_classes(
        scores,
        [LABELS[k] for k in true],
        labels=LABELS,
        groups=[str(i // 3) for i in range(150)],
        resamples=100,
    )
    assert report.macro_accuracy.value == pytest.approx(
        balanced_accuracy_score(true, scores.argmax(axis=1))
    )
    assert report.mean_average_precision.value == pytest.approx(
        np.mean([average_precision_score(true == k, scores[:, k]) for k in range(3)])
    )
    for rate in (report.accuracy, report.macro_accuracy, report.mean_average_precision):
        assert rate.low is not None
        assert rate.high is not None
        assert rate.low < rate.value < rate.high


def test_a_class_without_a_trial_is_refused_by_name() -> None:
    with pytest.raises(CorpusError, match=r"1 of the detector's 3 classes.*'hen'"):
        report_classes(np.eye(3)[[0, 1]], ["cat", "dog"], labels=LABELS, groups=["a", "b"])


def test_a_label_that_the_detector_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(CorpusError, match=r"1 of 2 trials are labelled otherwise.*'cow'"):
        report_classes(np.eye(3)[[0, 1]], ["cat", "cow"], labels=LABELS, groups=["a", "b"])
