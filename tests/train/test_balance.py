import numpy as np
import pytest

from earlet.errors import CorpusError
from earlet_train.balance import Deal, Ints, deal, dealt_counts
from earlet_train.training import Training

LABELS: Ints = np.array([0] * 5 + [1] * 17 + [2] * 9)


def dealt(training: Training, *, epoch: int = 0) -> Deal:
    return deal(LABELS, training, classes=3, seed=4, epoch=epoch)


def per_label(deal: Deal) -> list[int]:
    return [int(count) for count in np.bincount(LABELS[deal.indices], minlength=3)]


def test_without_balance_every_recording_comes_once() -> None:
    first, second = (dealt(Training(epochs=1), epoch=e) for e in (0, 1))
    assert sorted(first.indices) == list(range(31))
    assert not first.copies.any()
    assert first.indices.tolist() != second.indices.tolist()


@pytest.mark.parametrize(("to", "expected"), [(0, [17, 17, 17]), (12, [12, 17, 12])])
def test_multiplying_repeats_the_smaller_classes_and_knows_the_copies(
    to: int, expected: list[int]
) -> None:
    training = Training(epochs=1, balance="multiply", balance_to=to)
    found = dealt(training)
    assert per_label(found) == expected == dealt_counts(LABELS, training, classes=3).tolist()
    # Every recording comes itself, once; its copies are numbered, and none comes twice.
    assert sorted(found.indices[found.copies == 0]) == list(range(31))
    pairs = list(zip(found.indices.tolist(), found.copies.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    repeats = np.bincount(found.indices)[:5]
    assert repeats.max() - repeats.min() <= 1


@pytest.mark.parametrize(("to", "expected"), [(0, [5, 5, 5]), (8, [5, 8, 8])])
def test_undersampling_leaves_some_of_the_larger_classes_out(to: int, expected: list[int]) -> None:
    training = Training(epochs=1, balance="undersample", balance_to=to)
    found = dealt(training)
    assert per_label(found) == expected == dealt_counts(LABELS, training, classes=3).tolist()
    assert len(set(found.indices.tolist())) == sum(expected)
    assert not found.copies.any()


def test_the_choice_is_drawn_each_epoch_or_once() -> None:
    each = Training(epochs=1, balance="undersample")
    assert set(dealt(each, epoch=0).indices) != set(dealt(each, epoch=1).indices)
    seen = {int(i) for epoch in range(40) for i in dealt(each, epoch=epoch).indices}
    assert seen == set(range(31))
    once = Training(epochs=1, balance="undersample", balance_draw="once")
    first, second = dealt(once, epoch=0), dealt(once, epoch=1)
    assert set(first.indices) == set(second.indices)
    assert first.indices.tolist() != second.indices.tolist()


@pytest.mark.parametrize("balance", ["none", "multiply", "undersample"])
def test_an_epoch_is_dealt_the_same_again(balance: str) -> None:
    training = Training(epochs=1, balance=balance)  # type: ignore[arg-type]
    one, two = dealt(training, epoch=3), dealt(training, epoch=3)
    np.testing.assert_array_equal(one.indices, two.indices)
    np.testing.assert_array_equal(one.copies, two.copies)


def test_a_label_without_recordings_cannot_be_balanced() -> None:
    with pytest.raises(CorpusError, match="it has 5, 17, 9, 0"):
        dealt_counts(LABELS, Training(epochs=1, balance="multiply"), classes=4)
