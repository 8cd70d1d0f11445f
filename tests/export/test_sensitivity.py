import numpy as np
import pytest
from numpy.typing import NDArray

from earlet.scores import log_odds
from earlet_export.quantize import Ranges, observe
from earlet_export.run import Runner, one_by_one
from earlet_export.sensitivity import View, rank, telling
from earlet_export.trace import Traced, trace
from earlet_train.checkpoint import Checkpoint

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
CRUSHED = {"model/body.9/Conv", "model/tall.0/Conv"}


@pytest.fixture(scope="module")
def crushed_traced(crushed: Checkpoint) -> Traced:
    return trace(crushed.network(), window_samples=8_000)


@pytest.fixture(scope="module")
def view(crushed_traced: Traced, waveforms: Array) -> View:
    """Even windows are noise, which is what the detector is to find."""
    features = one_by_one(Runner.of(crushed_traced.frontend), waveforms)
    return View(
        features=features,
        is_positive=np.arange(len(features)) % 2 == 0,
        threshold=0.0,
        scores=lambda logits: log_odds(logits, positive_index=1),
    )


@pytest.fixture(scope="module")
def ranges(crushed_traced: Traced, view: View) -> Ranges:
    return observe(crushed_traced.model, (clip[None] for clip in view.features))


def test_the_layers_on_both_sides_of_a_crushed_tensor_rank_first(
    crushed_traced: Traced, ranges: Ranges, view: View
) -> None:
    ranking = rank(crushed_traced.model, ranges, view)
    assert {damage.layer for damage in ranking[:2]} == CRUSHED
    assert ranking[1].damage > 5 * ranking[2].damage
    assert sum(d.share_of_macs for d in ranking) == pytest.approx(1.0, abs=0.01)
    for damage in ranking:
        assert damage.damage == damage.near + damage.drawn_together
        assert damage.sqnr_db is not None
    assert max(d.sqnr_db or 0 for d in ranking[:2]) < min(d.sqnr_db or 0 for d in ranking[2:])


def test_excluded_layers_are_not_ranked(crushed_traced: Traced, ranges: Ranges, view: View) -> None:
    ranking = rank(crushed_traced.model, ranges, view, exclude=("model/tall.0/Conv",))
    assert "model/tall.0/Conv" not in {damage.layer for damage in ranking}


def test_the_telling_recordings_are_those_near_the_threshold_and_some_of_all() -> None:
    scores = np.linspace(-10, 10, 101)
    is_positive = np.arange(101) % 2 == 0
    chosen = telling(scores, is_positive, threshold=2.0, count=24)
    assert len(chosen) == 24
    assert chosen == sorted(chosen)
    near = [i for i in chosen if abs(scores[i] - 2.0) <= 1.21]
    assert len(near) >= 12
    for kind in (True, False):
        assert sum(is_positive[i] == kind for i in near) >= 6
    assert min(chosen) < 10
    assert max(chosen) > 90


def test_of_few_recordings_all_tell() -> None:
    assert telling(np.arange(5.0), np.arange(5) > 2, threshold=0.0, count=24) == [0, 1, 2, 3, 4]
