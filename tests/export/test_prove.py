import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.errors import ParityError
from earlet.manifest import Calibration, WindowPolicy
from earlet.protocol import Trial
from earlet_export.answers import Questions, Scale, ask, questions
from earlet_export.material import ProofTrial
from earlet_export.prove import Rung, broken_promises, compare, difference
from earlet_train.recipe import Promises

Array = NDArray[np.float32]
T = 16
SCALE = Scale(
    positive="spoof",
    positive_index=1,
    calibration=Calibration(scale=2.0, offset=1.0),
    threshold=1.0,
    window=WindowPolicy(window_samples=T, hop_samples=T, min_samples=T),
)


def original(batch: Array) -> Array:
    """A detector that hears the mean: logits [0, mean]."""
    return np.stack([np.zeros(len(batch)), batch.mean(axis=1)], axis=1).astype(np.float32)


@pytest.fixture
def asked() -> Questions:
    """Ten recordings of two windows; spoof n has the mean n + 1, bona fide n the mean -n - 1."""
    trials = [
        ProofTrial(
            trial=Trial(
                speaker=f"s{n % 2}",
                file=f"f{n}{sign}",
                system="A01" if sign > 0 else "-",
                key="spoof" if sign > 0 else "bonafide",
                path=Path("x"),
            ),
            windows=np.full((2, T), sign * (n + 1), dtype=np.float32),
        )
        for n in range(5)
        for sign in (1, -1)
    ]
    golden = {f"g{i}": np.full(T, i / 10, dtype=np.float32) for i in range(4)}
    return questions(golden, trials, window=SCALE.window)


def rung_of(asked: Questions, *, shift: float, precision: str = "int8") -> Rung:
    """A graph whose second logit is off by a constant."""

    def moved(batch: Array) -> Array:
        return original(batch) + np.array([0, shift], dtype=np.float32)

    return compare(precision, ask(moved, asked), ask(original, asked), asked=asked, scale=SCALE)


def test_equal_answers_differ_by_nothing(asked: Questions) -> None:
    rung = rung_of(asked, shift=0.0)
    assert (rung.max_abs_logit, rung.flips, rung.decisions) == (0.0, 0, 10)
    assert rung.real.sqnr_db is None
    assert rung.eer.eer == 0.0


def test_decisions_flip_where_the_score_crosses_the_threshold(asked: Questions) -> None:
    # Means 1 and 2 of the spoofed recordings fall below zero; a score is 2 * mean + 1.
    rung = rung_of(asked, shift=-2.5)
    assert (rung.flips, rung.flip_rate) == (2, 0.2)
    assert rung.widest_flip == pytest.approx(4.0)
    assert rung.max_abs_logit == pytest.approx(2.5)


def test_each_level_is_compared_at_its_own_peak(asked: Questions) -> None:
    rung = rung_of(asked, shift=-0.05)
    assert [at.peak_dbfs for at in rung.levels] == [-40.0, -30.0, -20.0, -10.0, 0.0]
    # At -40 dBFS every mean is +-0.01, so all five spoofed windows cross; at 0 dBFS none does.
    assert [at.flips for at in rung.levels] == [5, 5, 0, 0, 0]
    assert np.abs(asked.levels[-20.0]).max() == pytest.approx(0.1)


def test_answers_that_depend_on_the_batch_are_seen(asked: Questions) -> None:
    def coupled(batch: Array) -> Array:
        return original(batch) + np.float32(len(batch) - 1)

    rung = compare("fp32", ask(coupled, asked), ask(original, asked), asked=asked, scale=SCALE)
    assert rung.batch_of_three_max_abs == pytest.approx(2.0)
    (broken,) = broken_promises(rung, original_eer=0.0, promises=Promises())
    assert "batch of three" in broken


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_a_failure_with_its_place(
    asked: Questions, value: float
) -> None:
    truth = ask(original, asked)
    answers = ask(original, asked)
    spoilt = [part.copy() for part in answers.trials]
    spoilt[3][1, 0] = value
    with pytest.raises(ParityError, match=r"the int8 graph on f1-1 .* not finite"):
        compare(
            "int8",
            dataclasses.replace(answers, trials=tuple(spoilt)),
            truth,
            asked=asked,
            scale=SCALE,
        )


def test_fp32_is_held_to_its_logits(asked: Questions) -> None:
    promises = Promises(fp32_max_abs_logit=1e-4)
    close = rung_of(asked, shift=5e-5, precision="fp32")
    far = rung_of(asked, shift=2e-4, precision="fp32")
    assert broken_promises(close, original_eer=0.0, promises=promises) == ()
    (broken,) = broken_promises(far, original_eer=0.0, promises=promises)
    assert broken.startswith("fp32 moves a logit by 0.0002; promised: at most 0.0001")


def test_int8_is_held_to_its_decisions_and_its_error_rate(asked: Questions) -> None:
    promises = Promises(int8_max_flip_rate=0.1, int8_max_eer_increase=0.01)
    rung = rung_of(asked, shift=-2.5)
    (flips,) = broken_promises(rung, original_eer=0.0, promises=promises)
    assert flips.startswith("int8 changes 2 of 10 dev decisions (20.00%)")
    worse = dataclasses.replace(rung, flips=0, eer=dataclasses.replace(rung.eer, eer=0.07))
    (eer,) = broken_promises(worse, original_eer=0.05, promises=promises)
    assert eer.startswith("int8 raises the dev EER from 5.00% to 7.00%")
    assert broken_promises(worse, original_eer=0.065, promises=promises) == ()
    # As much as was promised is not more, whatever the binary difference of the two says.
    just = dataclasses.replace(worse, eer=dataclasses.replace(rung.eer, eer=0.42))
    assert broken_promises(just, original_eer=0.41, promises=promises) == ()


def test_sqnr_is_the_ratio_of_signal_to_error_in_decibels() -> None:
    exact = np.array([[3.0, 4.0]], dtype=np.float32)
    found = difference(exact, exact + np.array([[0.3, 0.4]], dtype=np.float32))
    assert found.sqnr_db == pytest.approx(20.0, abs=1e-4)
    assert found.max_abs == pytest.approx(0.4)
