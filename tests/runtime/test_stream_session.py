"""A streaming graph behind its door: what it must look like, and that company changes nothing."""

import dataclasses
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from streams.small import CHUNK, Shape, speech, states, streaming

from earlet.errors import BundleError, UsageError
from earlet.stream_session import StreamSession
from earlet.streaming import State

SHAPES = [Shape(), Shape(late=7), Shape(in_bytes=True)]


def opened(shape: Shape, **changes: Any) -> StreamSession:
    asked: dict[str, Any] = {"states": states(shape), "chunk_samples": CHUNK, "classes": 2}
    return StreamSession(streaming(shape), source="g.stream.onnx", **(asked | changes))


def chunks(sounds: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.stack([speech(count * CHUNK / 8000, seed=i) for i in range(sounds)]).reshape(
        sounds, count, CHUNK
    )


def plainly(shape: Shape, sound: Any) -> list[Any]:
    """The logits after each chunk, by the plainest use of onnxruntime there is."""
    session = onnxruntime.InferenceSession(streaming(shape), providers=["CPUExecutionProvider"])
    held = {s.name: np.full((1, *s.shape), s.initial, s.dtype) for s in states(shape)}
    names = [value.name for value in session.get_outputs()]
    answers = []
    for chunk in sound:
        given = dict(zip(names, session.run(None, {"waveform": chunk[None], **held}), strict=True))
        held = {name: given[f"{name}.next"] for name in held}
        answers.append(given["logits"][0])
    return answers


@pytest.mark.parametrize("shape", SHAPES)
def test_states_go_round_from_buffer_to_buffer(shape: Shape) -> None:
    sound = chunks(1, 9)[0]
    buffers = opened(shape).buffers()
    for chunk, answer in zip(sound, plainly(shape, sound), strict=True):
        buffers.waveform[0] = chunk
        buffers.run([0])
        np.testing.assert_array_equal(buffers.logits[0], answer)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reset_is_the_beginning_whenever_it_comes(shape: Shape) -> None:
    sound = chunks(1, 4)[0]
    buffers = opened(shape).buffers()
    for before in (1, 2, 3):
        for chunk in sound[:before]:
            buffers.waveform[0] = chunk
            buffers.run([0])
        buffers.reset(0)
        for chunk, answer in zip(sound, plainly(shape, sound), strict=True):
            buffers.waveform[0] = chunk
            buffers.run([0])
            np.testing.assert_array_equal(buffers.logits[0], answer)
        buffers.reset(0)


@pytest.mark.parametrize("shape", [*SHAPES, Shape(batch=1), Shape(company_tells=True)])
def test_sounds_side_by_side_get_the_bits_they_get_alone_in_any_order(shape: Shape) -> None:
    sounds = chunks(5, 8)
    buffers = opened(shape).buffers(5)
    rng = np.random.default_rng(0)
    alone = [plainly(shape, sound) for sound in sounds]
    at = [0] * 5
    while min(at) < 8:
        # Now all together, now some of them.
        some = range(5) if rng.random() < 0.4 else np.flatnonzero(rng.random(5) < 0.5)
        ready = [int(i) for i in some if at[i] < 8]
        for i in ready:
            buffers.waveform[i] = sounds[i, at[i]]
        buffers.run(ready)
        for i in ready:
            np.testing.assert_array_equal(buffers.logits[i], alone[i][at[i]])
            at[i] += 1


def test_company_is_refused_where_it_changes_an_answer() -> None:
    assert opened(Shape()).together(4)
    assert opened(Shape(in_bytes=True)).together(4)
    assert not opened(Shape()).together(1)
    assert not opened(Shape(company_tells=True)).together(4)
    assert not opened(Shape(batch=1)).together(4)


def test_the_memory_of_a_sound_is_what_its_arrays_take() -> None:
    buffers = opened(Shape(in_bytes=True)).buffers(3)
    held = sum(np.empty(s.shape, s.dtype).nbytes for s in states(Shape(in_bytes=True)))
    assert buffers.bytes_each == 2 * held + 4 * CHUNK + 4 * 2


def renamed(state: State, **changes: Any) -> tuple[State, ...]:
    others = [s for s in states(Shape()) if s.name != state.name]
    return (dataclasses.replace(state, **changes), *others)


TAIL = states(Shape())[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"states": states(Shape())[1:]}, "tail float32"),
        ({"states": renamed(TAIL, name="tale")}, "tale float32"),
        ({"states": renamed(TAIL, shape=(17,))}, r"tail float32 \[B, 17\]"),
        ({"states": renamed(TAIL, shape=(1, 16))}, r"tail float32 \[B, 1, 16\]"),
        ({"states": renamed(TAIL, dtype="uint8")}, r"tail uint8 \[B, 16\]"),
        ({"chunk_samples": CHUNK + 1}, rf"waveform float32 \[B, {CHUNK + 1}\]"),
        ({"classes": 3}, r"logits float32 \[B, 3\]"),
    ],
)
def test_states_that_are_not_the_graphs_are_refused_with_both_lists(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message) as refusal:
        opened(Shape(), **changes)
    said = str(refusal.value)
    assert "g.stream.onnx are not those that its manifest lists. Found: " in said
    assert "logits float32 [B, 2]" in said or "tail float32 [B, 16]" in said
    assert "Expected: " in said


def test_a_graph_that_answers_in_another_shape_than_it_says_is_refused() -> None:
    value = helper.make_tensor_value_info
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Concat", ["waveform", "kept"], ["kept.next"], axis=1),
            helper.make_node("Identity", ["waveform"], ["logits"]),
        ],
        "g",
        [value("waveform", float32, ["B", 2]), value("kept", float32, ["B", "L"])],
        [value("logits", float32, ["B", 2]), value("kept.next", float32, ["B", "M"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    kept = State(name="kept", shape=(4,), dtype="float32")
    session = StreamSession(
        model.SerializeToString(), source="g.onnx", states=[kept], chunk_samples=2, classes=2
    )
    with pytest.raises(BundleError, match=r"g\.onnx failed on a chunk of 2 samples"):
        session.buffers().run([0])


def test_no_threads_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1, found 0"):
        opened(Shape(), threads=0)
