"""A verdict becomes JSON without loss and without NaN."""

import dataclasses
import json

import pytest

from earlet.verdict import Verdict

VERDICT = Verdict(
    label="synthetic",
    score=1.5,
    probability=0.8,
    threshold=0.1,
    status="ok",
    start_s=0.0,
    end_s=4.0,
    model="bands",
    sha256="ab",
)


def test_it_becomes_json_and_comes_back() -> None:
    assert Verdict(**json.loads(json.dumps(VERDICT.as_dict(), allow_nan=False))) == VERDICT


def test_no_judgement_is_null() -> None:
    silent = dataclasses.replace(
        VERDICT, label=None, score=None, probability=None, status="no_signal"
    )
    data = silent.as_dict()
    assert [data[key] for key in ("label", "score", "probability")] == [None] * 3


def test_it_cannot_be_changed_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        VERDICT.score = 2.0  # type: ignore[misc]
