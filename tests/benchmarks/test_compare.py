"""`earlet compare` compares what two detectors have in common, and says what they have not."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet.cli import run as earlet
from earlet.errors import BundleError, UsageError
from earlet.labelled import read_labelled
from earlet_bench.compare import compare_sides
from earlet_bench.compare_sides import Side, two_sides
from earlet_bench.compare_words import lines_of, record_of
from earlet_bench.evaluation.curve import Ranking
from earlet_bench.evaluation.listen import spoof_scores
from earlet_bench.latency import Budget

Floats = NDArray[np.float32]
QUICK = Budget(rounds=3)
Foreign = Callable[..., Path]


@pytest.fixture
def foreign(tmp_path: Path, exported: Path) -> Foreign:
    """The fp32 graph as another program would have written it: no manifest, other names."""

    def write(
        *, end: str = "logits", shape: tuple[Any, ...] = ("B", 4_000), state: bool = False
    ) -> Path:
        model = onnx.load(exported / "fp32.onnx")
        del model.metadata_props[:]
        graph = model.graph
        source = graph.node[0].input[0]
        graph.node[0].input[0] = "flat_sound"
        to_2d = numpy_helper.from_array(np.array([-1, 4_000]), "to_2d")
        graph.initializer.append(to_2d)
        graph.node.insert(0, helper.make_node("Reshape", ["audio", "to_2d"], ["flat_sound"]))
        assert source == "waveform"
        del graph.input[:]
        graph.input.append(helper.make_tensor_value_info("audio", TensorProto.FLOAT, shape))
        if state:
            graph.input.append(helper.make_tensor_value_info("state", TensorProto.FLOAT, [1]))
        if end == "probabilities":
            graph.node.append(helper.make_node("Softmax", ["logits"], ["answer"], axis=1))
        elif end == "one number":
            graph.initializer.append(
                numpy_helper.from_array(np.array([[-1], [1]], dtype=np.float32), "last")
            )
            graph.node.append(helper.make_node("MatMul", ["logits", "last"], ["answer"]))
        else:
            graph.node.append(helper.make_node("Identity", ["logits"], ["answer"]))
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info("answer", TensorProto.FLOAT, None))
        file = tmp_path / "foreign.onnx"
        onnx.save(model, file)
        return file

    return write


def changed(side: Side, **changes: Any) -> Side:
    """The same graph that says something else of itself."""
    return dataclasses.replace(side, subject=dataclasses.replace(side.subject, **changes))


def test_the_graphs_of_one_bundle_are_compared_where_no_other_is_named(exported: Path) -> None:
    a, b = two_sides(str(exported), None)
    assert (a.subject.precision, b.subject.precision) == ("fp32", "int8")
    found = compare_sides(a, b, budget=QUICK)
    assert found.not_compared == ()
    assert found.golden is not None
    assert found.golden.logits is not None
    assert 0 < found.golden.logits.max_abs < 0.5
    assert found.golden.ranks is not None
    assert found.golden.ranks.ordered_alike is not None
    assert 0.8 < found.golden.ranks.ordered_alike <= 1
    assert found.speed.ratio > 0
    assert found.speed.rounds == 3
    assert found.speed.ratio_per_second == found.speed.ratio


def test_a_graph_is_named_behind_a_colon_or_by_the_option(exported: Path) -> None:
    a, b = two_sides(f"{exported}:int8", f"{exported}:fp32")
    assert (a.subject.precision, b.subject.precision) == ("int8", "fp32")
    a, b = two_sides(str(exported), f"{exported}:int8", precision="fp32")
    assert (a.subject.precision, b.subject.precision) == ("fp32", "int8")
    a, _ = two_sides(str(exported), str(exported / "fp32.onnx"))
    assert a.subject.precision == "int8", "the bundle's default"
    with pytest.raises(UsageError, match="has no 'fp16' graph"):
        two_sides(f"{exported}:fp16", str(exported))
    with pytest.raises(UsageError, match="a comparison takes two"):
        two_sides(f"{exported}:int8", None)


def test_a_file_compared_with_itself_is_said_to_be_the_same(exported: Path) -> None:
    a, b = two_sides(f"{exported}:fp32", str(exported / "fp32.onnx"))
    found = compare_sides(a, b, budget=QUICK)
    assert found.identical
    assert found.golden is not None
    assert found.golden.logits is not None
    assert found.golden.logits.max_abs == 0
    lines = lines_of(found)
    assert "A and B are the same file, byte for byte" in lines
    assert "golden signals (17), logits: equal" in lines


def test_recordings_give_error_rates_and_the_interval_of_their_difference(
    exported: Path, corpus: Path
) -> None:
    a, b = two_sides(str(exported), None)
    labelled = read_labelled(corpus, limit=None, seed=0)
    found = compare_sides(a, b, labelled=labelled, budget=QUICK).recordings
    assert found is not None
    assert found.recordings == 36
    bona_fide = np.array([not trial.is_spoof for trial in labelled.trials])
    for side, rate in ((a, found.a_eer), (b, found.b_eer)):
        scores = spoof_scores(side.subject, labelled.trials, on_trial=lambda: None)
        assert rate.value == pytest.approx(Ranking(-scores, bona_fide).curve().eer)
        assert rate.low is not None
        assert rate.high is not None
        assert rate.low <= rate.value <= rate.high
    between = found.eer_difference
    assert between.value == pytest.approx(found.b_eer.value - found.a_eer.value)
    # Paired: nearly the same scores, so nearly no difference, however wide each interval is.
    assert between.low is not None
    assert between.high is not None
    assert between.high - between.low < 0.5 * ((found.a_eer.high or 0) - (found.a_eer.low or 0))


def test_a_detector_turned_round_differs_in_every_clear_decision(
    exported: Path, corpus: Path
) -> None:
    a, _ = two_sides(f"{exported}:fp32", f"{exported}:fp32")
    logits = a.subject.logits
    turned = changed(a, logits=lambda windows: logits(windows)[:, ::-1])
    labelled = read_labelled(corpus, limit=None, seed=0)
    found = compare_sides(a, turned, labelled=labelled, budget=QUICK).recordings
    assert found is not None
    assert found.flips == found.recordings
    assert found.ranks.ordered_alike == 0
    assert found.b_eer.value == pytest.approx(1 - found.a_eer.value, abs=0.06)


def test_labels_in_another_order_are_put_in_order_first(exported: Path) -> None:
    a, _ = two_sides(f"{exported}:fp32", f"{exported}:fp32")
    logits = a.subject.logits
    swapped = changed(
        a, labels=("spoof", "bonafide"), logits=lambda windows: logits(windows)[:, ::-1]
    )
    found = compare_sides(a, swapped, budget=QUICK)
    assert found.golden is not None
    assert found.golden.logits is not None
    assert found.golden.logits.max_abs == 0
    assert found.golden.flips == 0
    assert "put in the order of A's labels" in found.not_compared[0]


def test_a_detector_of_the_opposite_label_is_turned_round(exported: Path) -> None:
    a, _ = two_sides(f"{exported}:fp32", f"{exported}:fp32")
    found = compare_sides(a, changed(a, positive="bonafide"), budget=QUICK)
    assert found.golden is not None
    assert found.golden.scores is not None
    assert found.golden.scores.max_abs < 1e-9
    assert found.golden.flips == 0
    assert "its opposite" in found.not_compared[0]


def test_other_labels_leave_size_and_speed(exported: Path, corpus: Path) -> None:
    a, _ = two_sides(f"{exported}:fp32", f"{exported}:fp32")
    flutes = changed(a, labels=("flute", "organ"), positive="organ")
    labelled = read_labelled(corpus, limit=None, seed=0)
    found = compare_sides(a, flutes, labelled=labelled, budget=QUICK)
    assert found.recordings is None
    assert found.golden is not None
    assert found.golden.logits is None
    assert found.golden.scores is None
    words = "\n".join(lines_of(found))
    assert "A knows bonafide, spoof and B flute, organ" in words
    assert "A is to find 'spoof' and B 'organ'" in words
    assert "size: A" in words


def test_another_rate_leaves_size_and_speed(exported: Path, corpus: Path) -> None:
    a, _ = two_sides(f"{exported}:fp32", f"{exported}:fp32")
    labelled = read_labelled(corpus, limit=None, seed=0)
    found = compare_sides(a, changed(a, sample_rate_hz=16_000), labelled=labelled, budget=QUICK)
    assert (found.golden, found.recordings) == (None, None)
    assert "A listens at 8000 Hz and B at 16000 Hz" in found.not_compared[0]
    # The same samples are half as much sound at twice the rate.
    assert found.speed.ratio_per_second == pytest.approx(2 * found.speed.ratio)


def test_another_window_policy_leaves_recordings(exported: Path, corpus: Path) -> None:
    a, _ = two_sides(f"{exported}:fp32", f"{exported}:fp32")
    window = dataclasses.replace(a.subject.window, short="zero", hop_samples=500)
    labelled = read_labelled(corpus, limit=None, seed=0)
    found = compare_sides(a, changed(a, window=window), labelled=labelled, budget=QUICK)
    assert found.golden is None
    assert found.recordings is not None
    assert "golden signals are not the same to both" in found.not_compared[0]


def test_a_side_that_answers_nan_is_broken_and_leaves_with_1(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(exported / "fp32.onnx")
    bias = next(w for w in model.graph.initializer if w.name == "bias")
    bias.CopyFrom(numpy_helper.from_array(np.array([np.nan, 0], dtype=np.float32), "bias"))
    file = tmp_path / "fp32.onnx"
    onnx.save(model, file)
    code = earlet(["compare", f"{exported}:fp32", str(file), "--rounds", "2", "--json"])
    record = json.loads(capsys.readouterr().out)
    assert code == 1
    assert "17 of 17 golden signals with a number that is not finite" in record["broken"][0]
    assert record["golden"] is None


@pytest.mark.parametrize("end", ["logits", "probabilities", "one number"])
@pytest.mark.parametrize("shape", [("B", 4_000), (4_000,), (1, 1, 4_000)])
def test_a_foreign_graph_is_understood_as_the_other_one_is(
    exported: Path, foreign: Foreign, end: str, shape: tuple[Any, ...]
) -> None:
    a, b = two_sides(f"{exported}:fp32", str(foreign(end=end, shape=shape)))
    found = compare_sides(a, b, budget=QUICK)
    assert found.golden is not None
    assert found.golden.scores is not None
    # The same network: whatever form its answer has, the log-odds are the same.
    assert found.golden.scores.max_abs < 1e-3
    assert found.golden.flips == 0
    words = "\n".join(b.assumed)
    assert "its input 'audio' is sound in [-1, 1]" in words
    assert ("probabilities (all lie in 0..1)" in words) == (end == "probabilities")
    assert ("of 'spoof' against 'bonafide'" in words) == (end == "one number")
    assert "what it is to find is 'spoof'" in words


def test_what_is_assumed_is_printed(
    exported: Path, foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    assert earlet(["compare", str(foreign()), f"{exported}:fp32", "--rounds", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("A: foreign.onnx (")
    assert "assumed, as nothing in the file says it: its input 'audio' is sound" in out


def test_a_foreign_graph_with_a_state_is_refused_with_its_remedy(
    exported: Path, foreign: Foreign
) -> None:
    with pytest.raises(UsageError, match=r"one input and one output.*earlet adopt"):
        two_sides(str(exported), str(foreign(state=True)))


def test_a_foreign_graph_of_features_is_refused(exported: Path, foreign: Foreign) -> None:
    with pytest.raises(UsageError, match=r"an input \[T\], \[B, T\] or \[B, 1, T\]"):
        two_sides(str(exported), str(foreign(shape=(1, 40, 100))))


def test_what_is_no_model_at_all_is_refused(exported: Path, tmp_path: Path) -> None:
    file = tmp_path / "noise.onnx"
    file.write_bytes(b"no model at all")
    with pytest.raises(BundleError, match=r"noise\.onnx"):
        two_sides(str(exported), str(file))


def test_json_holds_what_the_words_say(
    exported: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", str(exported), "--data", str(corpus), "--limit", "12", "--rounds", "2"]
    assert earlet(arguments) == 0
    words = capsys.readouterr().out
    assert earlet([*arguments, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == "earlet.compare/1"
    assert (record["a"]["precision"], record["b"]["precision"]) == ("fp32", "int8")
    assert record["recordings"]["recordings"] == 12
    assert f"{record['recordings']['flips']} decisions differ" in words
    assert f"EER: A {100 * record['recordings']['a_eer']['value']:.2f} %" in words
    assert "logits" not in record["a"]


def test_the_record_leaves_the_sides_as_they_are(exported: Path) -> None:
    a, b = two_sides(str(exported), None)
    found = compare_sides(a, b, budget=QUICK)
    record_of(found)
    assert found.a.subject.logits(np.zeros((1, 4_000), dtype=np.float32)).shape == (1, 2)


def test_a_limit_without_a_corpus_is_refused(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert earlet(["compare", str(exported), "--limit", "5"]) == 2
    assert "give the corpus with --data" in capsys.readouterr().err


def test_of_three_labels_the_likeliest_one_is_compared_too(exported: Path, corpus: Path) -> None:
    a, _ = two_sides(f"{exported}:fp32", f"{exported}:fp32")
    logits = a.subject.logits

    def never_third(windows: Floats) -> Floats:
        return np.concatenate([logits(windows), np.full((len(windows), 1), -50)], axis=1).astype(
            np.float32
        )

    def always_third(windows: Floats) -> Floats:
        return never_third(windows) + np.array([0, 0, 100], dtype=np.float32)

    labels = ("bonafide", "spoof", "other")
    one = changed(a, labels=labels, logits=never_third)
    two = changed(a, labels=labels, logits=always_third)
    labelled = read_labelled(corpus, limit=12, seed=0)
    found = compare_sides(one, two, labelled=labelled, budget=QUICK).recordings
    assert found is not None
    assert found.relabelled == 12
    same = compare_sides(one, one, labelled=labelled, budget=QUICK).recordings
    assert same is not None
    assert same.relabelled == 0
