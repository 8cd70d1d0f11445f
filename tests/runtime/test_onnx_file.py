"""The walk over an ONNX file: it sees what onnx sees, and refuses what onnxruntime would follow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from earlet.errors import BundleError
from earlet.onnx_file import SEAL_KEY, inspect, seal, unsealed
from earlet.session import Session

Build = Callable[..., bytes]
VALUE = helper.make_tensor_value_info


def with_weight(weight: TensorProto, *, place: str = "initializer") -> bytes:
    """waveform + w -> logits, with w among the initializers, in a node, or in a branch of an If."""
    add = helper.make_node("Add", ["waveform", "w"], ["logits"])
    nodes, initializers = [add], [weight]
    if place == "node":
        nodes, initializers = [helper.make_node("Constant", [], ["w"], value=weight), add], []
    if place == "subgraph":
        branch = helper.make_graph([add], "branch", [], [VALUE("logits", 1, None)], [weight])
        true = helper.make_node(
            "Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))
        )
        nodes = [
            true,
            helper.make_node("If", ["yes"], ["logits"], then_branch=branch, else_branch=branch),
        ]
        initializers = []
    graph = helper.make_graph(
        nodes, "g", [VALUE("waveform", 1, ["B", 4])], [VALUE("logits", 1, ["B", 4])], initializers
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


def external(location: str) -> TensorProto:
    weight = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=location)
    return weight


def test_it_sees_what_onnx_sees(graph_bytes: Build) -> None:
    data = graph_bytes(quantized=True, metadata={"a": "é", "b": ""})
    model, seen = onnx.load_from_string(data), inspect(data, source="g")
    assert seen.inputs == ("waveform",)
    assert seen.outputs == ("logits",)
    assert seen.operators == {(n.domain, n.op_type) for n in model.graph.node}
    assert seen.metadata == {"a": "é", "b": ""}
    assert seen.seal is None


@pytest.mark.parametrize("place", ["initializer", "node", "subgraph"])
@pytest.mark.parametrize("location", ["w.bin", "../w.bin", "..\\w.bin", "/etc/hostname"])
def test_values_in_another_file_are_refused_wherever_they_are_named(
    place: str, location: str
) -> None:
    data = with_weight(external(location), place=place)
    with pytest.raises(BundleError, match=r"keeps the values of its tensor 'w' in another file"):
        inspect(data, source="g.onnx")


def test_a_file_in_the_working_folder_is_never_read_for_a_model(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.arange(4, dtype=np.float32).tofile(tmp_path / "w.bin")
    monkeypatch.chdir(tmp_path)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("onnxruntime was given the bytes")

    monkeypatch.setattr(onnxruntime, "InferenceSession", never)
    with pytest.raises(BundleError, match=r"another file \('w\.bin'\)"):
        Session(with_weight(external("w.bin")), source="g.onnx")


def test_values_outside_are_refused_by_either_sign_alone() -> None:
    only_flag = TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)
    only_place = external("w.bin")
    only_place.ClearField("data_location")
    for weight in (only_flag, only_place):
        with pytest.raises(BundleError, match="in another file"):
            inspect(with_weight(weight), source="g")


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml", "my.own"])
def test_an_operator_of_another_domain_is_refused_by_name(domain: str) -> None:
    node = helper.make_node("EPContext", ["waveform"], ["logits"], domain=domain, name="n7")
    graph = helper.make_graph(
        [node], "g", [VALUE("waveform", 1, [1, 4])], [VALUE("logits", 1, [1, 4])]
    )
    data = helper.make_model(graph).SerializeToString()
    with pytest.raises(BundleError, match=rf"'EPContext' of the domain '{domain}' \(node 'n7'\)"):
        inspect(data, source="g")


def test_the_standard_domain_may_be_written_out() -> None:
    node = helper.make_node("Identity", ["waveform"], ["logits"], domain="ai.onnx")
    graph = helper.make_graph(
        [node], "g", [VALUE("waveform", 1, [1, 4])], [VALUE("logits", 1, [1, 4])]
    )
    seen = inspect(helper.make_model(graph).SerializeToString(), source="g")
    assert seen.operators == {("ai.onnx", "Identity")}


def test_functions_and_sparse_tensors_are_refused() -> None:
    data = with_weight(numpy_helper.from_array(np.zeros(4, dtype=np.float32), "w"))
    model = onnx.load_from_string(data)
    model.functions.add(name="f", domain="mine")
    with pytest.raises(BundleError, match="defines functions of its own"):
        inspect(model.SerializeToString(), source="g")
    model = onnx.load_from_string(data)
    sparse = model.graph.sparse_initializer.add(dims=[10**12])
    sparse.values.CopyFrom(numpy_helper.from_array(np.zeros(1, dtype=np.float32), "s"))
    with pytest.raises(BundleError, match="holds a sparse tensor"):
        inspect(model.SerializeToString(), source="g")


@pytest.mark.parametrize("dims", [[1 << 40], [1 << 20, 1 << 20], [1 << 62, 4], [-1]])
def test_a_size_that_the_file_cannot_hold_is_refused(dims: list[int]) -> None:
    weight = TensorProto(name="w", data_type=1, dims=dims, raw_data=bytes(16))
    with pytest.raises(BundleError, match=r"declares \d+ values|a negative size"):
        inspect(with_weight(weight), source="g")


def test_every_cut_of_a_file_is_refused_or_holds_less(graph_bytes: Build) -> None:
    data = graph_bytes()
    for end in range(len(data)):
        try:
            seen = inspect(data[:end], source="g")
        except BundleError:
            continue
        # What is left is a whole model by the rules of the format: its last fields are missing.
        onnx.ModelProto().ParseFromString(data[:end])
        assert seen.metadata == {}


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_stumble(data: bytes) -> None:
    with pytest.raises(BundleError):
        inspect(data, source="g")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_makes_it_stumble(data: st.DataObject) -> None:
    whole = bytearray(with_weight(numpy_helper.from_array(np.ones(4, dtype=np.float32), "w")))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        inspect(bytes(whole), source="g")
    except BundleError as refused:
        assert str(refused).startswith("g ")  # noqa: PT017  (either way out is right)


def test_lengths_and_depths_that_lie_are_refused() -> None:
    deep = b""
    for _ in range(200):  # attribute within node within graph within attribute ...
        deep = b"\x0a" + _length(deep) + deep
        deep = b"\x32" + _length(deep) + deep
        deep = b"\x2a" + _length(deep) + deep
    graph = b"\x0a" + _length(deep) + deep
    for data, words in (
        (b"\x3a" + _length(graph) + graph, "nests more than"),
        (b"\x3a\xff\xff\xff\xff\x0f", "announces 4294967295 bytes, and 0 are left"),
        (b"\x38\x01", "holds a number where its field 7 belongs"),
        (b"\x3b", "wire type 3"),
        (b"\x08" + b"\xff" * 11, "more than ten bytes"),
        (b"\x00\x01", "field number 0"),
        (b"\x08\x0a", "holds no graph"),
        (b"\x14\x00\x00\x00ORTM", "ORT's own format"),
    ):
        with pytest.raises(BundleError, match=words):
            inspect(data, source="g")


def test_a_seal_holds_every_byte_of_the_file(graph_bytes: Build) -> None:
    whole = seal(graph_bytes(metadata={"a": "b", SEAL_KEY: unsealed()}), source="g")
    assert inspect(whole, source="g").metadata["a"] == "b"
    assert seal(graph_bytes(metadata={"a": "b", SEAL_KEY: unsealed()}), source="g") == whole
    # The few bytes that make the entry an entry are what no seal inside a file can guard.
    entry = range(whole.index(SEAL_KEY.encode()) - 4, whole.index(SEAL_KEY.encode()) + 13)
    places = np.random.default_rng(3).choice(len(whole), size=300, replace=False)
    for at in sorted({*range(entry.stop, len(whole)), *places} - {*entry}):
        with pytest.raises(BundleError):
            inspect(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], source="g")


def test_metadata_that_says_two_things_is_refused(graph_bytes: Build) -> None:
    model = onnx.load_from_string(graph_bytes(metadata={"a": "1"}))
    model.metadata_props.add(key="a", value="2")
    with pytest.raises(BundleError, match="has the metadata 'a' twice"):
        inspect(model.SerializeToString(), source="g")


def _length(data: bytes) -> bytes:
    value, out = len(data), b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
