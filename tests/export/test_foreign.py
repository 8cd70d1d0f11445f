"""Foreign models: whatever shape they come in, the graph of the contract says what they say."""

import numpy as np
import pytest
from foreign.small import (
    BANDS,
    HEAD,
    MEMORY,
    STEP,
    T,
    agree,
    batched,
    body,
    model,
    sound,
    spec,
    weights,
    with_memory,
)
from onnx import TensorProto, helper, numpy_helper

from earlet_export.calibrate import observe
from earlet_export.foreign.spec import parse_spec
from earlet_export.foreign.wrapped import wrap
from earlet_export.join import join
from earlet_export.quantize import layers, quantize
from earlet_export.run import Runner


def test_a_channel_axis_comes_and_one_number_becomes_two_logits() -> None:
    wrapped = wrap(batched(), spec(), sha256="")
    logits = agree(wrapped)
    assert logits.shape == (4, 2)
    np.testing.assert_array_equal(logits[:, 0], 0)
    assert wrapped.cut.found
    assert wrapped.cut.seam == "log"
    kinds = [n.op_type for n in wrapped.cut.traced.model.graph.node]
    assert "Log" not in kinds
    assert kinds.count("Conv") == 1


def test_the_positive_label_may_be_the_first() -> None:
    text = HEAD.replace('positive = "high"', 'positive = "low"') + '[output]\nmeans = "log-odds"\n'
    first = wrap(batched(), parse_spec(text, source="m"), sha256="")
    np.testing.assert_array_equal(agree(first)[:, ::-1], agree(wrap(batched(), spec(), sha256="")))


def test_a_sigmoid_at_the_end_is_cut_off_so_that_no_odds_are_lost() -> None:
    loud = weights()
    loud["w2"] = loud["w2"] * 40
    nodes = [
        *body(),
        helper.make_node("Sigmoid", ["value"], ["p"]),
        helper.make_node("Squeeze", ["p", "one"], ["answer"]),
    ]
    sure = model(nodes, loud, inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(sure, spec('[output]\nmeans = "probability"\n'), sha256="")
    logits = agree(wrapped, exact=1e-4)
    # Probabilities that float32 rounds to 0 or 1 still have their odds.
    assert np.abs(logits).max() > 20


def test_a_softmax_of_two_is_cut_off_too() -> None:
    nodes = [*body(), helper.make_node("Softmax", ["value"], ["answer"], axis=-1)]
    two = model(nodes, weights(2), inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(two, spec('[output]\nmeans = "probabilities"\n'), sha256="")
    assert wrapped.held is not None
    agree(wrapped)


def test_a_probability_made_otherwise_becomes_odds_that_are_bounded() -> None:
    nodes = [*body(), helper.make_node("HardSigmoid", ["value"], ["answer"], alpha=5.0)]
    hard = model(nodes, weights(), inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(hard, spec('[output]\nmeans = "probability"\n'), sha256="")
    assert wrapped.held is None
    assert np.abs(agree(wrapped)).max() < 7


def test_a_value_becomes_odds_by_its_center_and_slope() -> None:
    text = '[output]\nmeans = "value"\ncolumn = 1\ncenter = 0.5\nslope = -3.0\n'
    nodes = [*body(), helper.make_node("Identity", ["value"], ["answer"])]
    three = model(nodes, weights(3), inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(three, spec(text), sha256="")
    raw = wrapped.untouched(sound())[:, 0, 0, 1]
    np.testing.assert_allclose(agree(wrapped)[:, 1], -3 * (raw - 0.5), atol=1e-5)


def test_sixteen_bit_integers_get_what_they_expect() -> None:
    cast = helper.make_node("Cast", ["pcm"], ["f"], to=TensorProto.FLOAT)
    scale = helper.make_node("Div", ["f", "full"], ["x2"])
    rise = helper.make_node("Unsqueeze", ["x2", "one"], ["x3"])
    constants = weights() | {"full": np.array(32768.0, dtype=np.float32)}
    pcm = model(
        [cast, scale, rise, *body(), helper.make_node("Identity", ["value"], ["answer"])],
        constants,
        inputs={"pcm": (TensorProto.INT16, ["N", T])},
    )
    text = '[input]\nfull_scale = 32768\n[output]\nmeans = "log-odds"\n'
    agree(wrap(pcm, spec(text), sha256=""))


def test_a_constant_input_chooses_its_branch_and_leaves_no_trace() -> None:
    """As detectors for two rates do: an If on the rate, whole networks in its branches."""
    rate = numpy_helper.from_array(np.array(16000, dtype=np.int64), "rate16")
    rise = helper.make_node("Unsqueeze", ["x", "one"], ["x3"])
    ends = [helper.make_tensor_value_info("value", 1, None)]
    right = helper.make_graph([rise, *body()], "right", [], ends)
    wrong = helper.make_graph(
        [helper.make_node("ReduceMax", ["x", "one"], ["other"])],
        "wrong",
        [],
        [helper.make_tensor_value_info("other", 1, None)],
    )
    nodes = [
        helper.make_node("Equal", ["sr", "rate16"], ["is16"]),
        helper.make_node("If", ["is16"], ["answer"], then_branch=right, else_branch=wrong),
    ]
    branched = model(
        nodes,
        weights() | {"rate16": numpy_helper.to_array(rate)},
        inputs={"x": (TensorProto.FLOAT, ["B", "T"]), "sr": (TensorProto.INT64, [])},
    )
    text = '[input]\nname = "x"\nconstants = {sr = 16000}\n[output]\nmeans = "log-odds"\n'
    wrapped = wrap(branched, spec(text), sha256="")
    agree(wrapped)
    kinds = {n.op_type for n in wrapped.cut.traced.frontend.graph.node}
    assert not kinds & {"If", "Equal"}


@pytest.mark.parametrize("axes", [["B", "T"], [None, None], ["B", T]])
def test_a_mask_over_the_samples_has_their_number(axes: list[str | int | None]) -> None:
    """As transformers take it: what is masked off does not count."""
    node = helper.make_node
    nodes = [
        node("Mul", ["x", "mask"], ["kept"]),
        node("ReduceSum", ["mask", "one"], ["samples"], keepdims=1),
        node("Div", ["kept", "samples"], ["scaled"]),
        node("Mul", ["scaled", "many"], ["loud"]),
        node("Unsqueeze", ["loud", "one"], ["x3"]),
        *body(),
        node("Identity", ["value"], ["answer"]),
    ]
    masked = model(
        nodes,
        weights() | {"many": np.array(T, dtype=np.float32)},
        inputs={"x": (TensorProto.FLOAT, axes), "mask": (TensorProto.FLOAT, axes)},
    )
    text = '[input]\nname = "x"\nconstants = {mask = 1}\n[output]\nmeans = "log-odds"\n'
    wrapped = wrap(masked, spec(text), sha256="")
    expected = wrap(batched(), spec(), sha256="")
    np.testing.assert_allclose(agree(wrapped), agree(expected), atol=1e-5)


def test_a_batch_that_only_the_file_fixes_is_opened() -> None:
    wrapped = wrap(batched(inputs={"x3": (TensorProto.FLOAT, [1, 1, T])}), spec(), sha256="")
    assert wrapped.ports.batched
    agree(wrapped)


@pytest.mark.parametrize("behind", [False, True])
def test_a_model_that_mixes_the_batch_takes_one_recording_at_a_time(behind: bool) -> None:
    """Its batch can be opened, but recordings would answer for each other.

    Where only its spectrum does so the rest is heard together, and may become int8.
    """
    reshape = helper.make_node("Reshape", ["flat", "row"], ["x3"])
    nodes = [reshape, *body(), helper.make_node("Identity", ["value"], ["answer"])]
    if behind:
        conv = next(n for n in nodes if n.name == "conv")
        conv.output[0] = "c0"
        join = helper.make_node("Reshape", ["c0", "strip"], ["c1"], name="join")
        nodes.insert(nodes.index(conv) + 1, join)
    constants = weights() | {
        "row": np.array([1, 1, -1], dtype=np.int64),
        "strip": np.array([1, 16, -1], dtype=np.int64),
    }
    one = model(nodes, constants, inputs={"flat": (TensorProto.FLOAT, [1, T])})
    wrapped = wrap(one, spec(), sha256="")
    assert not wrapped.ports.batched
    assert wrapped.one_by_one == (not behind)
    assert ("Conv" in wrapped.in_turn) == behind
    kinds = [n.op_type for n in wrapped.cut.traced.model.graph.node]
    assert ("Conv" in kinds) == (not behind)
    agree(wrapped)


def test_old_operators_are_brought_up_to_date() -> None:
    nodes = body()
    mean = next(n for n in nodes if n.op_type == "ReduceMean")
    del mean.input[1]
    mean.attribute.append(helper.make_attribute("axes", [2]))
    old = model(
        [*nodes, helper.make_node("Identity", ["value"], ["answer"])],
        {k: v for k, v in weights().items() if k != "axis"},
        inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])},
        opset=12,
    )
    wrapped = wrap(old, spec(), sha256="")
    assert wrapped.opset == 12
    agree(wrapped)


def test_weights_in_integers_halve_again_and_answer_nearly_the_same() -> None:
    for wrapped in (
        wrap(batched(), spec(), sha256=""),
        wrap(with_memory(), spec(MEMORY.format(pool="max")), sha256=""),
    ):
        traced = wrapped.cut.traced
        frontend = Runner.of(traced.frontend)
        ranges = observe(traced.model, (frontend(w[None]) for w in sound(16)))
        int8 = Runner.of(join(traced.frontend, quantize(traced.model, ranges)))
        np.testing.assert_allclose(int8(sound()), wrapped.logits(sound()), atol=0.2)


def test_the_seam_is_where_the_batch_comes_first() -> None:
    """A recurrent layer takes time first; what it takes can be no features."""
    rng = np.random.default_rng(3)
    constants = weights() | {
        "W": rng.normal(0, 0.3, (1, 15, 8)).astype(np.float32),
        "R": rng.normal(0, 0.3, (1, 15, 5)).astype(np.float32),
        "w2": rng.normal(0, 0.3, (5, 1)).astype(np.float32),
        "zero": np.array([0], np.int64),
    }
    spectrum = body()[: [node.op_type for node in body()].index("Log") + 1]
    node = helper.make_node
    nodes = [
        *spectrum,
        node("Transpose", ["log"], ["steps"], perm=[2, 0, 1]),
        node("GRU", ["steps", "W", "R"], ["", "last"], hidden_size=5),
        node("Squeeze", ["last", "zero"], ["h"]),
        node("MatMul", ["h", "w2"], ["answer"]),
    ]
    recurrent = model(nodes, constants, inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(recurrent, spec(), sha256="")
    assert (wrapped.cut.seam, wrapped.cut.found) == ("log", True)
    agree(wrapped)


def test_spectra_side_by_side_are_one_frontend() -> None:
    """Three filter banks, their log powers on top of each other; then the layers."""
    node = helper.make_node
    nodes = []
    for one in "uvw":
        nodes += [
            node("Conv", ["x3", "dft"], [f"{one}.bands"], strides=[STEP // 2]),
            node("Pow", [f"{one}.bands", "two"], [f"{one}.power"]),
            node("Transpose", [f"{one}.power"], [f"{one}.turned"], perm=[0, 2, 1]),
            node("MatMul", [f"{one}.turned", f"{one}.mel"], [f"{one}.mels"]),
            node("Max", [f"{one}.mels", "floor"], [f"{one}.floored"]),
            node("Log", [f"{one}.floored"], [f"{one}.log"]),
        ]
    nodes += [
        node("Concat", ["u.log", "v.log", "w.log"], ["spectra"], axis=2),
        node("Transpose", ["spectra"], ["log"], perm=[0, 2, 1]),
        *body()[4:],
        node("Identity", ["value"], ["answer"]),
    ]
    rng = np.random.default_rng(0)
    constants = weights() | {
        f"{one}.mel": rng.uniform(0, 1, (BANDS, 4)).astype(np.float32) for one in "uvw"
    }
    constants["w1"] = rng.normal(0, 0.3, (16, 12, 3)).astype(np.float32)
    several = model(nodes, constants, inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(several, spec(), sha256="")
    assert (wrapped.cut.seam, wrapped.cut.found) == ("log", True)
    assert len(layers(wrapped.cut.traced.model)) == 1
    agree(wrapped)


def test_a_model_of_one_layer_stays_in_float_whole() -> None:
    node = helper.make_node
    nodes = [
        node("Conv", ["x3", "dft"], ["bands"], strides=[50]),
        node("ReduceMax", ["bands", "axis"], ["most"], keepdims=0),
        node("ReduceMean", ["most", "one"], ["answer"]),
    ]
    one = model(nodes, weights(), inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(one, spec(), sha256="")
    agree(wrapped)
    assert layers(wrapped.cut.traced.model) == []


def test_a_batch_of_one_that_a_reshape_writes_down_is_opened() -> None:
    node = helper.make_node
    written = weights() | {"row": np.array([1, 16], np.int64)}
    nodes = [
        *body(end="value0")[:-1],
        node("Reshape", ["m", "row"], ["rows"]),
        node("MatMul", ["rows", "w2"], ["answer"]),
    ]
    fixed = model(nodes, written, inputs={"x3": (TensorProto.FLOAT, [1, 1, T])})
    wrapped = wrap(fixed, spec(), sha256="")
    assert wrapped.ports.batched
    assert layers(wrapped.cut.traced.model)
    agree(wrapped)


def test_a_model_in_16_bits_stays_as_it_is() -> None:
    node = helper.make_node
    halves = {
        name: value.astype(np.float16) if value.dtype == np.float32 else value
        for name, value in weights().items()
    }
    nodes = [node("Cast", ["x3"], ["x16"], to=TensorProto.FLOAT16), *body("x16", end="half")]
    nodes += [node("Cast", ["half"], ["answer"], to=TensorProto.FLOAT)]
    half = model(nodes, halves, inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(half, spec(), sha256="")
    assert layers(wrapped.cut.traced.model) == []
    agree(wrapped, exact=1e-2)
