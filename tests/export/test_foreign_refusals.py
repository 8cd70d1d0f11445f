"""Foreign models that cannot be wrapped, and manifests that do not fit them, are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from foreign.small import HEAD, T, batched, body, model, spec, weights
from onnx import helper

from earlet.errors import BundleError, RecipeError
from earlet_export.foreign.model_file import read_model
from earlet_export.foreign.spec import parse_spec
from earlet_export.foreign.wrapped import wrap


@pytest.mark.parametrize(
    ("make", "text", "words"),
    [
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
            lambda: batched(inputs={"x3": (1, ["B", 1, "samples"]), "mask": (7, ["B", "length"])}),
            '[input]\nname = "x3"\nconstants = {mask = 1}\n[output]\nmeans = "log-odds"\n',
            "leaves 'length' open, which is no axis of the sound's input 'x3'",
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
    ("inputs", "words"),
    [
        ({"x3": (1, ["B", 257, T])}, "takes features or several microphones, not a waveform"),
        ({"x3": (1, ["B", 1, 80, 300])}, "takes features, not a waveform. Put its frontend before"),
        ({}, "has 0 inputs and 1 outputs"),
    ],
)
def test_a_model_that_takes_no_waveform_is_refused(inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(BundleError, match=words) as refused:
        wrap(batched(inputs=inputs), spec(), sha256="")
    assert refused.value.exit_code == 4


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('means = "logits"', "answers 3 numbers to one window; logits of 2 labels are 2"),
        ('means = "log-odds"', r"answers 3 numbers to one window\. Say with \[output\] column"),
        ('means = "log-odds"\ncolumn = 3', r"column is 3, and the model answers 3 numbers"),
    ],
)
def test_as_many_numbers_as_the_manifest_says(text: str, words: str) -> None:
    three = model(
        [*body(), helper.make_node("Identity", ["value"], ["answer"])],
        weights(outputs=3),
        inputs={"x3": (1, ["B", 1, T])},
    )
    with pytest.raises(RecipeError, match=words):
        wrap(three, spec(f"[output]\n{text}\n"), sha256="")


def test_three_labels_need_three_numbers() -> None:
    text = HEAD.replace('["low", "high"]', '["low", "middle", "high"]')
    with pytest.raises(RecipeError, match="is one number and decides between two labels"):
        parse_spec(text + '[output]\nmeans = "log-odds"\n', source="m")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\xff\xff\xff")
    with pytest.raises(BundleError, match="is not a whole ONNX model"):
        read_model(tmp_path / "m.onnx")
    with pytest.raises(BundleError, match="cannot be read"):
        read_model(tmp_path / "none.onnx")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\x1c\0\0\0TFL3\x14\0", "a TensorFlow Lite model. Convert it with tf2onnx"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them. Convert"),
        (b"PK\x03\x04\0\0", "a zip archive, as PyTorch .*: earlet adopt package.module:factory"),
        (b'\x40\0\0\0\0\0\0\0{"w":', "a safetensors file: weights without their network"),
    ],
)
def test_a_model_of_another_format_is_named(head: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(head + bytes(40))
    with pytest.raises(BundleError, match=words):
        read_model(tmp_path / "model.bin")


def test_custom_operators_are_refused(tmp_path: Path) -> None:
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
