import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.diffres import pour, rescale
from torch import Tensor

from earlet_train.adapters.warp import (
    loudest_dense,
    loudest_scattered,
    overlap,
    rescaled,
    warp_matrix,
)

CASES = st.tuples(
    st.integers(2, 60),
    st.floats(0.02, 1.0),
    st.sampled_from(["even", "spread", "few", "peak", "steps"]),
    st.integers(0, 2**32 - 1),
)


def weights(frames: int, kind: str, seed: int) -> Tensor:
    """Sigmoid-like scores [1, T] of many characters; `few`: most of them next to nothing."""
    rng = np.random.default_rng(seed)
    made = {
        "even": np.full(frames, 0.5),
        "spread": rng.uniform(0.01, 1, frames),
        "few": np.where(rng.random(frames) < 0.3, 0.9, 1e-6),
        "peak": np.where(np.arange(frames) == frames // 2, 1.0, 0.1),
        "steps": np.repeat([0.8, 0.2], (frames + 1) // 2)[:frames],
    }[kind]
    return torch.from_numpy(made.astype(np.float32))[None]


@settings(max_examples=150, deadline=None)
@given(CASES)
def test_the_closed_form_is_the_pouring_from_jar_to_jar(case: tuple[int, float, str, int]) -> None:
    frames, share, kind, seed = case
    slots, raw = max(1, int(frames * share)), weights(frames, kind, seed)
    scores = rescaled(raw, slots=slots)
    expected = rescale(raw[0].double().numpy(), slots=slots)
    np.testing.assert_allclose(scores[0].numpy(), expected, atol=1e-9)
    matrix = warp_matrix(scores, slots=slots)[0].numpy()
    np.testing.assert_allclose(matrix, pour(expected, slots=slots), atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(CASES)
def test_slots_fill_in_order_and_a_frame_lies_in_at_most_two(
    case: tuple[int, float, str, int],
) -> None:
    frames, share, kind, seed = case
    slots = max(1, int(frames * share))
    scores = rescaled(weights(frames, kind, seed), slots=slots)
    assert float(scores.min()) >= 0
    assert float(scores.max()) <= 1 + 1e-12
    matrix = warp_matrix(scores, slots=slots)[0].double()
    mass = float(scores.sum())
    filled = [min(1.0, max(0.0, mass - i)) for i in range(slots)]
    np.testing.assert_allclose(matrix.sum(dim=1).numpy(), filled, atol=1e-5)
    np.testing.assert_allclose(matrix.sum(dim=0).numpy(), scores[0].numpy(), atol=1e-5)
    touched = matrix > 1e-7
    assert int(touched.sum(dim=0).max()) <= 2
    first = [int(column.nonzero()[0]) for column in touched.T if column.any()]
    assert first == sorted(first)


@pytest.mark.parametrize("kind", ["even", "spread", "steps"])
def test_where_all_frames_can_rise_the_sand_suffices_for_every_slot(kind: str) -> None:
    for slots in (1, 10, 25, 39, 40):
        scores = rescaled(weights(40, kind, 3), slots=slots)
        missing = slots - float(scores.sum())
        assert -1e-9 < missing < 1
        rows = warp_matrix(scores, slots=slots)[0].sum(dim=1)
        torch.testing.assert_close(rows[:-1], torch.ones(slots - 1), rtol=0, atol=1e-5)


def test_even_scores_and_nothing_to_save_leave_every_frame_where_it_is() -> None:
    matrix = warp_matrix(rescaled(torch.full((2, 50), 0.3), slots=50), slots=50)
    torch.testing.assert_close(matrix, torch.eye(50).expand(2, 50, 50), rtol=0, atol=1e-6)


def test_even_scores_average_equally_many_frames() -> None:
    matrix = warp_matrix(rescaled(torch.full((1, 12), 0.9), slots=4), slots=4)[0]
    expected = torch.kron(torch.eye(4), torch.full((1, 3), 1 / 3))
    torch.testing.assert_close(matrix, expected, rtol=0, atol=1e-6)


def test_a_heavy_frame_keeps_a_slot_of_its_own() -> None:
    raw = torch.tensor([[0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1]])
    matrix = warp_matrix(rescaled(raw, slots=2), slots=2)[0]
    # 2 * 0.4 / 1.0 = 0.8 of a slot is its own, the others get 0.2 each.
    torch.testing.assert_close(matrix.sum(dim=0)[4], torch.tensor(0.8), rtol=0, atol=1e-6)


def test_scores_of_nothing_are_dealt_out_evenly() -> None:
    assert torch.allclose(rescaled(torch.zeros(1, 8), slots=2), torch.tensor(0.25).double())


def test_each_clip_is_rescaled_by_itself() -> None:
    both = torch.cat([weights(30, "peak", 1), weights(30, "even", 2)])
    together = rescaled(both, slots=20)
    apart = torch.cat([rescaled(clip[None], slots=20) for clip in both])
    assert torch.equal(together, apart)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_both_forms_of_the_maximum_are_equal(case: tuple[int, float, str, int]) -> None:
    frames, share, kind, seed = case
    slots = max(1, int(frames * share))
    scores = rescaled(weights(frames, kind, seed), slots=slots)
    power = torch.randn(1, 5, frames, generator=torch.Generator().manual_seed(seed % 999)).exp()
    dense = loudest_dense(power, warp_matrix(scores, slots=slots))
    scattered = loudest_scattered(power, scores, slots=slots)
    torch.testing.assert_close(scattered, dense, rtol=1e-6, atol=1e-6)


def test_both_forms_of_the_maximum_have_the_same_gradient() -> None:
    gradients = []
    for form in ("dense", "scatter"):
        raw = weights(30, "spread", 5).requires_grad_()
        power = torch.rand(1, 4, 30, generator=torch.Generator().manual_seed(1)).requires_grad_()
        scores = rescaled(raw, slots=11)
        if form == "dense":
            loudest = loudest_dense(power, warp_matrix(scores, slots=11))
        else:
            loudest = loudest_scattered(power, scores, slots=11)
        mix = torch.randn(1, 4, 11, generator=torch.Generator().manual_seed(2))
        gradients.append(torch.autograd.grad((loudest * mix).sum(), (raw, power)))
    for dense, scattered in zip(*gradients, strict=True):
        assert float(dense.abs().max()) > 0
        torch.testing.assert_close(scattered, dense, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_the_warp_is_the_slope_that_numbers_show() -> None:
    raw = weights(9, "spread", 8).double().requires_grad_()

    def warped(raw: Tensor) -> Tensor:
        scores = rescaled(raw, slots=4)
        ends = scores.cumsum(dim=1)[:, None]
        return overlap(ends - scores[:, None], ends, torch.arange(4.0)[:, None].double())

    assert torch.autograd.gradcheck(warped, (raw,), eps=1e-7, atol=1e-5)
