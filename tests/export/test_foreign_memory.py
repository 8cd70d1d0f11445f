"""Foreign models with memory: a window is heard in pieces, in order, from a memory of zeros."""

import numpy as np
import pytest
from foreign.small import MEMORY, agree, sound, spec, with_memory

from earlet_export.foreign.original import as_logits
from earlet_export.foreign.wrapped import wrap
from earlet_export.join import join
from earlet_export.run import Runner


@pytest.mark.parametrize("pool", ["max", "mean", "last"])
def test_a_model_with_memory_hears_a_whole_window_in_order(pool: str) -> None:
    wrapped = wrap(with_memory(), spec(MEMORY.format(pool=pool)), sha256="")
    logits = agree(wrapped)
    assert wrapped.held is not None
    steps = wrapped.held(sound())
    assert steps.shape == (4, 8, 1, 1)
    steps = steps[:, :, 0]
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


def test_the_original_and_its_logits_keep_the_pooling_in_one_place() -> None:
    chosen = spec(MEMORY.format(pool="mean"))
    answers = np.array([[[[0.0]], [[2.0]]]], dtype=np.float32)
    np.testing.assert_allclose(as_logits(answers, chosen, tapped=True), [[0.0, 1.0]])
