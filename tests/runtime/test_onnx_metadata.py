"""A file with another manifest inside is byte for byte what the package onnx would write."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlet.errors import BundleError
from earlet.onnx_file import SEAL_KEY, inspect, seal, unsealed
from earlet.onnx_metadata import with_metadata

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def sealed(graph: bytes, pairs: dict[str, str]) -> bytes:
    """As `earlet export` writes it, with onnx."""
    model = onnx.load_from_string(graph)
    del model.metadata_props[:]
    for key, value in {**pairs, SEAL_KEY: unsealed()}.items():
        model.metadata_props.add(key=key, value=value)
    return seal(model.SerializeToString(deterministic=True), source="g")


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, min_size=1, max_size=4), st.data())
def test_it_is_what_onnx_writes(pairs: dict[str, str], data: st.DataObject) -> None:
    graph = MADE["graph"]
    key = data.draw(st.sampled_from(sorted(pairs)))
    value = data.draw(TEXTS)
    changed = with_metadata(sealed(graph, pairs), {key: value}, source="g")
    assert changed == sealed(graph, {**pairs, key: value})
    assert inspect(changed, source="g").metadata[key] == value


MADE: dict[str, bytes] = {}


@pytest.fixture(autouse=True, scope="module")
def _graph(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue("shared_bundle")
    MADE["graph"] = (folder / "int8.onnx").read_bytes()


def test_a_file_without_a_seal_gets_none(graph_bytes: Callable[..., bytes]) -> None:
    changed = with_metadata(graph_bytes(metadata={"a": "1", "b": "2"}), {"a": "3"}, source="g")
    assert changed == graph_bytes(metadata={"a": "3", "b": "2"})


def test_a_file_whose_seal_is_broken_is_refused() -> None:
    data = bytearray(sealed(MADE["graph"], {"a": "1"}))
    data[-80] ^= 1
    with pytest.raises(BundleError):
        with_metadata(bytes(data), {"a": "2"}, source="g")
