"""A manifest that asks for a stream that cannot be is refused before any of its files is opened."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from streams.small import Shape, manifest, states, write

from earlet.bundle import Bundle
from earlet.bundle_limits import MOST_STATE_BYTES, MOST_STATES, check_manifest
from earlet.errors import BundleError
from earlet.manifest import Manifest
from earlet.streaming import State

TAIL = State(name="tail", shape=(16,), dtype="float32")


def asking(*, kept: tuple[State, ...] | None = None, **changes: Any) -> Manifest:
    """A manifest whose stream is changed; `kept`: the states of its graph."""
    said = manifest(Shape())
    assert said.stream is not None
    graph = said.stream.graphs["fp32"]
    if kept is not None:
        graph = dataclasses.replace(graph, states=kept)
    return dataclasses.replace(
        said, stream=dataclasses.replace(said.stream, graphs={"fp32": graph}, **changes)
    )


def test_the_streams_of_the_tests_may_be() -> None:
    check_manifest(asking(), source="m")
    check_manifest(asking(kept=states(Shape(in_bytes=True))), source="m")
    check_manifest(asking(kept=()), source="m")


@pytest.mark.parametrize(
    "changes", [{"warmup_chunks": 10**9}, {"chunk_samples": 10**9}, {"warmup_chunks": 7000}]
)
def test_a_stream_that_would_never_answer_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"answers after \d+ samples .* at most 4800000\."):
        check_manifest(asking(**changes), source="m")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (dataclasses.replace(TAIL, shape=(4, 0)), "tail"),
        (dataclasses.replace(TAIL, shape=(-1,)), "tail"),
        (dataclasses.replace(TAIL, name="waveform"), "waveform"),
        (dataclasses.replace(TAIL, name="logits"), "logits"),
        (dataclasses.replace(TAIL, dtype="uint8", initial=256.0), "tail"),
        (dataclasses.replace(TAIL, dtype="uint8", initial=0.5), "tail"),
        (dataclasses.replace(TAIL, dtype="int8", initial=-129.0), "tail"),
    ],
)
def test_a_state_that_cannot_be_is_refused(state: State, said: str) -> None:
    with pytest.raises(BundleError, match=f"that cannot be: {said}"):
        check_manifest(asking(kept=(state,)), source="m")


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(BundleError, match="cannot be: a name twice"):
        check_manifest(asking(kept=(TAIL, TAIL)), source="m")


def test_more_memory_than_a_sound_can_need_is_refused() -> None:
    many = tuple(dataclasses.replace(TAIL, name=f"s{i}") for i in range(MOST_STATES + 1))
    with pytest.raises(BundleError, match=rf"lists {MOST_STATES + 1} states"):
        check_manifest(asking(kept=many), source="m")
    # Four bytes an element: neither the memory nor a product that overflows is ever asked for.
    for size in (MOST_STATE_BYTES // 4 + 1, 1 << 62):
        huge = dataclasses.replace(TAIL, shape=(size, size))
        with pytest.raises(BundleError, match=f"keeps at most {MOST_STATES}, of"):
            check_manifest(asking(kept=(huge,)), source="m")


def test_the_folder_is_refused_before_a_graph_is_read(tmp_path: Path) -> None:
    said = asking(warmup_chunks=10**9)
    folder = write(tmp_path / "b", Shape(), stream=said.stream)
    (folder / "fp32.stream.onnx").unlink()
    with pytest.raises(BundleError, match="answers after"):
        Bundle.open(folder)
