"""Foreign models: whatever shape they come in, the graph of the contract says what they say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earlet.errors import BundleError, RecipeError
from earlet_export.foreign.original import as_logits
from earlet_export.foreign.spec import parse_spec
from earlet_export.foreign.torch_module import TorchOriginal, build_module, export_module
from earlet_export.foreign.wrapped import Wrapped, read_model, wrap
from earlet_export.join import join
from earlet_export.run import Runner

Array = NDArray[np.float32]
RATE_HZ, T, BANDS, STEP = 16_000, 4_000, 8, 100
PIECE, CONTEXT = 500, 100

HEAD = """
name = "foreign"
version = "1"
description = "Tells high sounds from low ones."
licence = "MIT"
training_data = "None: its filters are written by hand."
labels = ["low", "high"]
positive = "high"

[data]
sample_rate_hz = 16000
window_samples = 4000
hop_samples = 2000
min_samples = 1000
short = "zero"
"""


def spec(text: str = '[output]\nmeans = "log-odds"\n') -> Any:
    return parse_spec(HEAD + text, source="m.toml")


def filters() -> Array:
    """[BANDS, 1, STEP]: windowed cosines."""
    n = np.arange(STEP)
    hz = np.linspace(300, 7000, BANDS)[:, None]
    made = np.hanning(STEP) * np.cos(2 * np.pi * hz * n / RATE_HZ) / 8
    return made[:, None].astype(np.float32)


def weights(outputs: int = 1) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(4)
    return {
        "dft": filters(),
        "two": np.array(2.0, dtype=np.float32),
        "floor": np.array(1e-6, dtype=np.float32),
        "w1": rng.normal(0, 0.3, (16, BANDS, 3)).astype(np.float32),
        "w2": rng.normal(0, 0.3, (16, outputs)).astype(np.float32),
        "axis": np.array([2], dtype=np.int64),
        "one": np.array([1], dtype=np.int64),
    }


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[Any]],
    *,
    inputs: Mapping[str, tuple[int, Sequence[Any]]],
    outputs: Sequence[str] = ("answer",),
    opset: int = 18,
) -> onnx.ModelProto:
    made = helper.make_model(
        helper.make_graph(
            list(nodes),
            "g",
            [helper.make_tensor_value_info(n, k, s) for n, (k, s) in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            [numpy_helper.from_array(v, n) for n, v in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    return made


def body(x: str = "x3", *, end: str = "value") -> list[onnx.NodeProto]:
    """[B, 1, T] -> filters, log power, a layer, the mean over time, one layer -> [B, outputs]."""
    node = helper.make_node
    return [
        node("Conv", [x, "dft"], ["bands"], strides=[STEP // 2], name="filters"),
        node("Pow", ["bands", "two"], ["power"]),
        node("Max", ["power", "floor"], ["floored"]),
        node("Log", ["floored"], ["log"]),
        node("Conv", ["log", "w1"], ["c1"], pads=[1, 1], name="conv"),
        node("Relu", ["c1"], ["r1"]),
        node("ReduceMean", ["r1", "axis"], ["m"], keepdims=0),
        node("MatMul", ["m", "w2"], [end], name="last"),
    ]


def sound(windows: int = 4) -> Array:
    rng = np.random.default_rng(1)
    return (0.3 * rng.normal(size=(windows, T))).clip(-1, 1).astype(np.float32)


def agree(wrapped: Wrapped, *, exact: float = 1e-5) -> Array:
    """The joined graph against the original, for one window and for several at once."""
    run = Runner.of(join(wrapped.cut.traced.frontend, wrapped.cut.traced.model))
    windows = sound()
    expected = wrapped.logits(windows)
    np.testing.assert_allclose(run(windows), expected, atol=exact)
    np.testing.assert_allclose(run(windows[:1]), expected[:1], atol=exact)
    assert wrapped.away_from_the_file(windows) < 1e-6
    return expected


def batched(**changes: Any) -> onnx.ModelProto:
    given: dict[str, Any] = {"inputs": {"x3": (TensorProto.FLOAT, ["B", 1, T])}}
    return model(
        [*body(), helper.make_node("Identity", ["value"], ["answer"])],
        weights(),
        **{**given, **changes},
    )


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
    assert wrapped.before_squashing is not None
    agree(wrapped)


def test_a_probability_made_otherwise_becomes_odds_that_are_bounded() -> None:
    nodes = [*body(), helper.make_node("HardSigmoid", ["value"], ["answer"], alpha=5.0)]
    hard = model(nodes, weights(), inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(hard, spec('[output]\nmeans = "probability"\n'), sha256="")
    assert wrapped.before_squashing is None
    assert np.abs(agree(wrapped)).max() < 7


def test_a_value_becomes_odds_by_its_center_and_slope() -> None:
    text = '[output]\nmeans = "value"\ncolumn = 1\ncenter = 0.5\nslope = -3.0\n'
    nodes = [*body(), helper.make_node("Identity", ["value"], ["answer"])]
    three = model(nodes, weights(3), inputs={"x3": (TensorProto.FLOAT, ["B", 1, T])})
    wrapped = wrap(three, spec(text), sha256="")
    raw = wrapped.untouched(sound())[:, 0, 1]
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


def test_a_batch_that_only_the_file_fixes_is_opened() -> None:
    wrapped = wrap(batched(inputs={"x3": (TensorProto.FLOAT, [1, 1, T])}), spec(), sha256="")
    assert wrapped.ports.batched
    agree(wrapped)


def test_a_model_that_mixes_the_batch_takes_one_recording_at_a_time() -> None:
    """Its batch can be opened, but recordings would answer for each other."""
    nodes = [
        helper.make_node("Reshape", ["flat", "row"], ["x3"]),
        *body(),
        helper.make_node("Identity", ["value"], ["answer"]),
    ]
    constants = weights() | {"row": np.array([1, 1, -1], dtype=np.int64)}
    one = model(nodes, constants, inputs={"flat": (TensorProto.FLOAT, [1, T])})
    wrapped = wrap(one, spec(), sha256="")
    assert not wrapped.ports.batched
    assert "Conv" in wrapped.in_turn
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


def with_memory(*, batch: Any = "B") -> onnx.ModelProto:
    """Pieces of 500 samples behind 100 of the one before; a leaky sum and a count as memory."""
    constants = weights() | {
        "leak": np.array(0.8, dtype=np.float32),
        "zero": np.array([0], dtype=np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["x", "one"], ["x3"]),
        *body(end="now"),
        node("Squeeze", ["h", "zero"], ["h1"]),
        node("Mul", ["h1", "leak"], ["faded"]),
        node("Add", ["faded", "now"], ["value"]),
        node("Unsqueeze", ["value", "zero"], ["h_next"]),
        node("Sigmoid", ["value"], ["answer"]),
    ]
    return model(
        nodes,
        constants,
        inputs={"x": (1, [batch, PIECE + CONTEXT]), "h": (1, [1, batch, 1])},
        outputs=("answer", "h_next"),
    )


MEMORY = """
[chunks]
samples = 500
context = 100
pool = "{pool}"
[chunks.states]
h = "h_next"
[output]
means = "probability"
name = "answer"
"""


@pytest.mark.parametrize("pool", ["max", "mean", "last"])
def test_a_model_with_memory_hears_a_whole_window_in_order(pool: str) -> None:
    wrapped = wrap(with_memory(), spec(MEMORY.format(pool=pool)), sha256="")
    logits = agree(wrapped)
    assert wrapped.before_squashing is not None
    steps = wrapped.before_squashing(sound())
    assert steps.shape == (4, 8, 1)
    by_hand = {"max": steps.max(axis=1), "mean": steps.mean(axis=1), "last": steps[:, -1]}[pool]
    np.testing.assert_allclose(logits[:, 1:], by_hand, atol=1e-6)
    # Only what depends on the memory walks; the layers see all pieces at once.
    assert "Conv" not in wrapped.in_turn
    assert "Mul" in wrapped.in_turn
    assert [n.op_type for n in wrapped.cut.traced.model.graph.node].count("Conv") == 1


def test_a_memory_of_one_recording_is_opened_to_a_batch() -> None:
    wrapped = wrap(with_memory(batch=1), spec(MEMORY.format(pool="max")), sha256="")
    assert wrapped.ports.batched
    agree(wrapped)


def test_the_memory_matters_and_starts_from_zero_in_each_window() -> None:
    wrapped = wrap(with_memory(), spec(MEMORY.format(pool="last")), sha256="")
    run = Runner.of(join(wrapped.cut.traced.frontend, wrapped.cut.traced.model))
    windows = sound()
    turned = windows.copy()
    turned[:, :500], turned[:, 500:1000] = windows[:, 500:1000], windows[:, :500]
    assert np.abs(run(turned) - run(windows)).max() > 1e-4
    np.testing.assert_allclose(run(windows)[2:3], run(windows[2:3]), atol=1e-6)


def test_a_window_that_ends_inside_a_piece_is_filled_with_silence() -> None:
    text = MEMORY.format(pool="last").replace("samples = 500", "samples = 499")
    short = with_memory()
    short.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 599
    wrapped = wrap(short, spec(text), sha256="")
    assert wrapped.spec.pieces == 9
    agree(wrapped)


def test_weights_in_integers_halve_again_and_answer_nearly_the_same() -> None:
    from earlet_export.calibrate import observe
    from earlet_export.quantize import quantize

    for wrapped in (
        wrap(batched(), spec(), sha256=""),
        wrap(with_memory(), spec(MEMORY.format(pool="max")), sha256=""),
    ):
        traced = wrapped.cut.traced
        frontend = Runner.of(traced.frontend)
        ranges = observe(traced.model, (frontend(w[None]) for w in sound(16)))
        int8 = Runner.of(join(traced.frontend, quantize(traced.model, ranges)))
        np.testing.assert_allclose(int8(sound()), wrapped.logits(sound()), atol=0.2)


class Tones(torch.nn.Module):
    """A detector as another package might have one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("dft", torch.from_numpy(filters()))
        self.conv = torch.nn.Conv1d(BANDS, 16, 3, padding=1)
        self.last = torch.nn.Linear(16, 2)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        bands = torch.nn.functional.conv1d(waveform[:, None], self.dft, stride=50)  # type: ignore[arg-type]
        log = torch.log(torch.clamp(bands**2, min=1e-6))
        answer: torch.Tensor = self.last(torch.relu(self.conv(log)).mean(dim=2))
        return answer


def test_a_torch_module_is_wrapped_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    package = types.ModuleType("someones_package")
    package.detector = Tones  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "someones_package", package)
    module = build_module("someones_package:detector")
    chosen = spec('[output]\nmeans = "logits"\n')
    wrapped = wrap(
        export_module(module, chosen),
        chosen,
        sha256="",
        untouched=TorchOriginal(module=module),
    )
    logits = agree(wrapped)
    with torch.no_grad():
        np.testing.assert_allclose(logits, module(torch.from_numpy(sound())).numpy(), atol=1e-5)


@pytest.mark.parametrize("named", ["nothing.there:f", "json:nothing", "json"])
def test_a_module_that_is_not_there_is_refused(named: str) -> None:
    with pytest.raises(RecipeError, match="names nothing that can be imported"):
        build_module(named)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"expected a torch\.nn\.Module"):
        build_module("collections:OrderedDict")


@pytest.mark.parametrize(
    ("make", "text", "words"),
    [
        (
            lambda: batched(inputs={"x3": (1, ["B", 257, T])}),
            '[output]\nmeans = "log-odds"\n',
            "takes features or several microphones",
        ),
        (
            lambda: batched(inputs={"x3": (1, ["B", 1, 9000])}),
            '[output]\nmeans = "log-odds"\n',
            "takes 9000 samples at once, and the manifest gives it 4000",
        ),
        (
            lambda: batched(inputs={"x3": (1, ["B", 1, T]), "sr": (7, [])}),
            '[input]\nname = "x3"\n[output]\nmeans = "log-odds"\n',
            "the model also takes sr, and nothing says what to give it",
        ),
        (
            lambda: batched(inputs={"x3": (1, ["B", 1, T]), "sr": (7, [])}),
            '[output]\nmeans = "log-odds"\n',
            r"inputs are x3 .*, sr .*; say with \[input\] name",
        ),
        (
            batched,
            '[input.constants]\nrate = 1\n[output]\nmeans = "log-odds"\n',
            r"\[input\.constants\] names 'rate', and the model has x3",
        ),
        (
            batched,
            '[output]\nmeans = "log-odds"\n[export]\nseam = "nowhere"\n',
            "the model has no tensor 'nowhere'",
        ),
        (
            batched,
            '[output]\nmeans = "log-odds"\nname = "scores"\n',
            "names 'scores', and the model has answer",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_the_model_is_refused(
    make: Callable[[], onnx.ModelProto], text: str, words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        wrap(make(), spec(text), sha256="")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[output]\n", "lacks the key 'means'"),
        ('[output]\nmeans = "odds"\n', r"\[output\], key 'means'"),
        ('[output]\nmeans = "log-odds"\nslope = 2.0\n', "slope belong to means = 'value'"),
        ('[outputs]\nmeans = "log-odds"\n', "did you mean 'output'"),
        (
            '[output]\nmeans = "log-odds"\n[decision]\nthreshold = 0.5\ncalibrate = true\n',
            "calibrate moves the scores",
        ),
        (
            '[output]\nmeans = "log-odds"\n[chunks]\nsamples = 10\ncontext = 20\n',
            "must not be longer than a chunk",
        ),
        ('[output]\nmeans = "log-odds"\n[input]\nshape = ["B", 2]\n', "key 'shape'"),
        ('[output]\nmeans = "log-odds"\n[input]\nshape = ["B", 1]\n', "needs one 'T'"),
        ("", "lacks 'output'"),
    ],
)
def test_a_manifest_that_does_not_say_what_it_must_is_refused(text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        spec(text)


def test_three_labels_need_three_numbers() -> None:
    text = HEAD.replace('["low", "high"]', '["low", "middle", "high"]')
    with pytest.raises(RecipeError, match="is one number and decides between two labels"):
        parse_spec(text + '[output]\nmeans = "log-odds"\n', source="m")


def test_a_file_that_is_no_model_is_refused(tmp_path: Any) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\xff\xff\xff")
    with pytest.raises(BundleError, match="is not a whole ONNX model"):
        read_model(tmp_path / "m.onnx")
    with pytest.raises(BundleError, match="cannot be read"):
        read_model(tmp_path / "none.onnx")


def test_custom_operators_are_refused(tmp_path: Any) -> None:
    custom = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gelu", ["x3"], ["answer"], domain="com.microsoft")],
            "g",
            [helper.make_tensor_value_info("x3", 1, ["B", 1, T])],
            [helper.make_tensor_value_info("answer", 1, None)],
        )
    )
    onnx.save(custom, tmp_path / "m.onnx")
    with pytest.raises(BundleError, match=r"'Gelu' of the domain 'com\.microsoft'"):
        read_model(tmp_path / "m.onnx")


def test_the_original_and_its_logits_keep_the_pooling_in_one_place() -> None:
    chosen = spec(MEMORY.format(pool="mean"))
    answers = np.array([[[0.0], [2.0]]], dtype=np.float32)
    np.testing.assert_allclose(as_logits(answers, chosen, tapped=True), [[0.0, 1.0]])
