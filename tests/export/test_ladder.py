"""The ladder says at which depth a graph leaves its original, how far, and whether it matters."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from earlet.errors import ParityError
from earlet.manifest import Calibration, WindowPolicy
from earlet.protocol import Trial
from earlet_export.answers import Questions, Scale, ask, questions
from earlet_export.exact import Original, as_trained, in_float64
from earlet_export.join import join
from earlet_export.ladder import Climber, Ladder, broken_features, climb
from earlet_export.ladder_page import (
    condition_rows,
    decision_rows,
    distance_rows,
    float64_words,
    ladder_parts,
    why_fp32,
)
from earlet_export.material import ProofTrial
from earlet_export.prove import compare
from earlet_export.run import Runner
from earlet_export.seam import up_to_features
from earlet_export.trace import Traced
from earlet_train.network import Network
from earlet_train.recipe import Promises

Array = NDArray[np.float32]
T = 32
WINDOW = WindowPolicy(window_samples=T, hop_samples=T, min_samples=T // 2)
SCALE = Scale(
    positive="spoof",
    positive_index=1,
    calibration=Calibration(),
    threshold=0.0,
    window=WINDOW,
)
PROMISES = Promises()


def features(batch: Array) -> Array:
    """What the detector hears: the window, as a picture of one row."""
    return (batch[:, None, None, :] * 3).astype(np.float32)


def logits(batch: Array) -> Array:
    """A detector that hears the mean: logits [0, mean]."""
    return np.stack([np.zeros(len(batch)), batch.mean(axis=1)], axis=1).astype(np.float32)


def wide(batch: Array) -> NDArray[np.float64]:
    return np.stack([np.zeros(len(batch)), batch.astype(np.float64).mean(axis=1)], axis=1)


ORIGINAL = Original(features=features, logits=logits)
EXACT = Original(features=lambda batch: features(batch).astype(np.float64), logits=wide)


@pytest.fixture
def asked() -> Questions:
    """Thirty recordings of two windows, half of them spoofed and louder."""
    rng = np.random.default_rng(0)
    trials = [
        ProofTrial(
            trial=Trial(
                speaker=f"s{n % 3}",
                file=f"f{n}",
                system="A01" if n % 2 else "-",
                key="spoof" if n % 2 else "bonafide",
                path=Path("x"),
            ),
            windows=((0.1 if n % 2 else -0.1) + 0.2 * rng.standard_normal((2, T))).astype(
                np.float32
            ),
        )
        for n in range(30)
    ]
    golden = {
        "silence": np.zeros(T, dtype=np.float32),
        "square at full scale": np.ones(T, dtype=np.float32),
        "noise": rng.standard_normal(T).astype(np.float32),
    }
    return questions(golden, trials, window=WINDOW)


Changed = Callable[[Array], Array]


def ladder_of(
    asked: Questions,
    *,
    heard: Changed = features,
    said: Changed = logits,
    float64: Original | str = EXACT,
) -> Ladder:
    return climb(
        asked,
        torch=ORIGINAL,
        float64=float64,
        original=ask(logits, asked),
        graphs={"int8": Climber(features=heard, answers=ask(said, asked))},
        scale=SCALE,
    )


def test_an_equal_graph_is_equal_at_every_depth(asked: Questions) -> None:
    found = ladder_of(asked)
    for step in (found.features["int8"], found.logits["int8"]):
        assert step.from_torch.max_abs == 0
        assert step.from_torch.sqnr_db is None
    assert broken_features(found, promises=PROMISES) == ()


def test_conditions_cover_short_odd_long_and_clipped_recordings(asked: Questions) -> None:
    lengths = {name: [len(r) for r in group] for name, group in asked.conditions.items()}
    assert set(lengths) == {
        "the shortest allowed",
        "odd length",
        "long, several windows",
        "clipped, 20 dB too loud",
    }
    assert lengths["the shortest allowed"] == [1] * 12
    # Three windows of three recordings in a row and an odd rest, which one more window reaches.
    assert lengths["long, several windows"] == [4] * 4
    clipped = np.concatenate(asked.conditions["clipped, 20 dB too loud"])
    assert np.abs(clipped).max() == 1.0
    assert (np.abs(clipped) == 1.0).mean() > 0.1


def test_where_short_clips_are_refused_none_are_asked() -> None:
    strict = WindowPolicy(window_samples=T, hop_samples=T, min_samples=T, short="reject")
    trial = Trial(speaker="s", file="f", system="-", key="bonafide", path=Path("x"))
    heard = [ProofTrial(trial=trial, windows=np.ones((1, T), dtype=np.float32))]
    made = questions({"a": np.zeros(T, dtype=np.float32)}, heard, window=strict)
    assert set(made.conditions) == {"long, several windows", "clipped, 20 dB too loud"}


def test_a_frontend_that_loses_digits_breaks_its_promise_whatever_the_logits_do(
    asked: Questions,
) -> None:
    def coarse(batch: Array) -> Array:
        return (np.round(features(batch) * 8) / 8).astype(np.float32)

    found = ladder_of(asked, heard=coarse)
    assert found.logits["int8"].from_torch.max_abs == 0
    (broken,) = broken_features(found, promises=PROMISES)
    assert "the frontend of the int8 graph gives other features than the original's" in broken
    assert "promised: at least 60 dB" in broken
    assert broken_features(found, promises=Promises(features_min_sqnr_db=1.0)) == ()


def test_the_step_names_the_question_that_moved_it_most(asked: Questions) -> None:
    def deaf_to_full_scale(batch: Array) -> Array:
        answer = logits(batch)
        answer[batch.mean(axis=1) == 1.0, 1] -= 5
        return answer

    found = ladder_of(asked, said=deaf_to_full_scale).logits["int8"]
    assert found.from_torch.max_abs == pytest.approx(5)
    assert found.worst == "the golden signal 'square at full scale'"


def test_float64_tells_whose_error_it_is(asked: Questions) -> None:
    def exact_in_float32(batch: Array) -> Array:
        return wide(batch).astype(np.float32)

    found = ladder_of(asked, said=exact_in_float32)
    step, top = found.logits["int8"], found.float64
    assert top is not None
    assert step.from_float64 is not None
    # The graph rounds once, the original at every addition: the difference is the original's.
    assert 0 < step.from_float64.max_abs < top.logits.max_abs
    assert top.decided.flips == 0
    assert top.decided.ranks.spearman == pytest.approx(1.0)
    assert (top.golden_signals, top.recordings) == (3, 24)


def test_a_network_without_float64_says_why_and_fails_nothing(asked: Questions) -> None:
    found = ladder_of(asked, float64="an operator knows no float64")
    assert found.float64 is None
    assert found.logits["int8"].from_float64 is None
    assert "There is no rung in float64: an operator knows no float64." in float64_words(found)
    assert [row[0] for row in distance_rows(found, depth="logits")] == ["int8"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_a_failure_of_their_own(
    asked: Questions, value: float
) -> None:
    def broken(batch: Array) -> Array:
        heard = features(batch)
        heard[np.abs(batch).max(axis=1) == 0] = value
        return heard

    with pytest.raises(ParityError, match=r"int8 graph on .*'silence' gives features .*not finite"):
        ladder_of(asked, heard=broken)


def test_ranks_stay_where_only_the_scale_changes(asked: Questions) -> None:
    original = ask(logits, asked)
    doubled = ask(lambda batch: 2 * logits(batch), asked)
    rung = compare("int8", doubled, original, asked=asked, scale=SCALE)
    assert (rung.ranks.spearman, rung.ranks.ordered_alike) == (1.0, 1.0)
    assert rung.flips == 0
    assert rung.real.max_abs > 0


def test_every_condition_has_its_row(asked: Questions) -> None:
    original = ask(logits, asked)
    late = ask(lambda batch: logits(batch) - np.array([0, 2], dtype=np.float32), asked)
    rung = compare("int8", late, original, asked=asked, scale=SCALE)
    assert [under.condition for under in rung.conditions] == [
        *("silence", "square at full scale"),
        *asked.conditions,
    ]
    square = rung.conditions[1]
    assert (square.flips, square.recordings) == (1, 1)
    assert square.logits.max_abs == pytest.approx(2)
    rows = condition_rows({"int8": rung})
    assert [row[1] for row in rows] == [
        *(f"peak {level:g} dBFS" for level in asked.levels),
        *(under.condition for under in rung.conditions),
        "three in a batch, from one by one",
    ]


def test_the_page_has_one_table_a_depth(asked: Questions) -> None:
    found = ladder_of(asked)
    rung = compare("int8", ask(logits, asked), ask(logits, asked), asked=asked, scale=SCALE)
    page = ladder_parts(found, {"int8": rung}, original_eer=rung.eer)
    assert [part for part in page if part.startswith("###")] == [
        "### Features: what the model hears",
        "### Logits: what it answers",
        "### Decisions: what a user is told",
    ]
    rows = decision_rows(found, {"int8": rung}, original_eer=rung.eer)
    assert [row[0] for row in rows] == ["torch float64, 24 recordings", "torch", "int8"]
    assert rows[-1][-2:] == ("1.00000", "100.00 %")


def test_the_network_answers_in_float64_as_in_float32_but_closer(
    network: Network, waveforms: Array
) -> None:
    narrow, exact = as_trained(network), in_float64(network, waveforms[0])
    assert isinstance(exact, Original)
    assert next(network.parameters()).dtype == torch.float32, "the network itself must not change"
    ours, theirs = narrow.logits(waveforms), exact.logits(waveforms)
    assert theirs.dtype == np.float64
    assert 0 < np.abs(ours - theirs).max() < 1e-3


def test_a_frontend_that_stays_in_float32_is_found_out(network: Network, waveforms: Array) -> None:
    class Stubborn(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner.float()

        def forward(self, waveform: Tensor) -> Tensor:
            found: Tensor = self.inner.float()(waveform.float())
            return found

    stubborn = Network(
        frontend=Stubborn(network.frontend),  # type: ignore[arg-type]
        adapter=None,
        model=network.model,
    )
    why = in_float64(stubborn.eval(), waveforms[0])
    assert isinstance(why, str)
    assert "float64" in why or "float32" in why or "Double" in why


def test_a_joined_graph_is_cut_at_its_features(
    traced: Traced, network: Network, waveforms: Array
) -> None:
    whole = join(traced.frontend, traced.model)
    cut = up_to_features(whole, source="fp32.onnx")
    assert not any(node.name.startswith("model/") for node in cut.graph.node)
    heard = Runner.of(cut)(waveforms)
    expected = as_trained(network).features(waveforms)
    np.testing.assert_allclose(heard, expected, atol=1e-4)
    assert [v.name for v in whole.graph.output] == ["logits"], "the graph itself must not change"


def test_a_graph_without_a_seam_is_refused(traced: Traced) -> None:
    whole = join(traced.frontend, traced.model)
    hidden = onnx.ModelProto()
    hidden.CopyFrom(whole)
    for node in hidden.graph.node:
        for names in (node.input, node.output):
            names[:] = ["elsewhere" if name == "features" else name for name in names]
    with pytest.raises(ParityError, match="has no tensor 'features'"):
        up_to_features(hidden, source="fp32.onnx")


def test_of_three_labels_the_likeliest_one_is_watched_too(asked: Questions) -> None:
    def three(batch: Array) -> Array:
        loud = np.abs(batch).max(axis=1)
        return np.stack([np.zeros(len(batch)), batch.mean(axis=1), loud], axis=1).astype(np.float32)

    def deaf_to_the_third(batch: Array) -> Array:
        return three(batch) - np.array([0, 0, 9], dtype=np.float32)

    original = ask(three, asked)
    same = compare("int8", ask(three, asked), original, asked=asked, scale=SCALE)
    other = compare("int8", ask(deaf_to_the_third, asked), original, asked=asked, scale=SCALE)
    assert same.relabelled == 0
    assert other.relabelled == 30, "the third label was always the likeliest"
    two = compare("int8", ask(logits, asked), ask(logits, asked), asked=asked, scale=SCALE)
    assert two.relabelled is None
    rows = decision_rows(ladder_of(asked), {"int8": other}, original_eer=other.eer)
    assert "likeliest label: 30" in rows[-1][2]


def test_int8_that_is_no_faster_is_good_for_its_size_only_where_it_is_smaller() -> None:
    assert "use it for its size" in why_fp32({"fp32": 4000, "int8": 1500})
    assert "neither clearly faster nor smaller" in why_fp32({"fp32": 217, "int8": 223})
