import functools
import itertools

import numpy as np
import pytest
import torch
from oracles.diffres import guide_loss, oracle
from torch import Tensor

from earlet_train.adapters.diffres import DiffRes, DiffResSettings, sinusoids
from earlet_train.adapters.frame_scorer import FrameScorer
from earlet_train.frontends.log_mel import LogMel, LogMelSettings

FLOOR_LN = -23.0
"""ln 1e-10, about what a blanked frame of a log-mel is."""


@functools.cache
def voices(clips: int = 3, samples: int = 9_600, mels: int = 64) -> Tensor:
    """Log-mel [B, 1, F, N] of words: bursts of harmonics with pauses of faint noise between."""
    rng = np.random.default_rng(7)
    time_s = np.arange(samples) / 16_000
    waves = []
    for _ in range(clips):
        pitch_hz = rng.uniform(100, 220)
        voice = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 30))
        word = np.clip(np.sin(2 * np.pi * rng.uniform(2, 5) * time_s + rng.uniform(0, 6)), 0, 1)
        waves.append(0.1 * voice * word + 3e-3 * rng.standard_normal(samples))
    frontend = LogMel(LogMelSettings(mels=mels), sample_rate_hz=16_000)
    features: Tensor = frontend(torch.from_numpy(np.stack(waves)).float())
    return features


def diffres(features: Tensor, *, settled: bool = True, **settings: object) -> DiffRes:
    """Scores that differ from frame to frame: with fresh statistics they hardly would."""
    torch.manual_seed(2)
    _, channels, bins, frames = features.shape
    kind = DiffResSettings(**settings)  # type: ignore[arg-type]
    adapter = DiffRes(kind, shape=(channels, bins, frames))
    if settled:
        with torch.no_grad():
            for _ in range(30):
                adapter(features)
    return adapter.eval()


@pytest.mark.parametrize(("bins", "count"), [(128, 82_371), (64, 63_579)])
def test_the_scorer_has_the_published_number_of_parameters(bins: int, count: int) -> None:
    assert sum(p.numel() for p in FrameScorer(bins).parameters()) == count


def test_the_scorer_of_40_bins_is_laid_out_as_that_of_64() -> None:
    count = 0
    for a, b in itertools.pairwise((40, 40, 20, 10, 10, 1)):
        count += 5 * b * (a + b) + 6 * b  # two convolutions with bias, two norms
    assert sum(p.numel() for p in FrameScorer(40).parameters()) == count


def test_the_scorer_multiplies_about_as_often_as_it_has_parameters() -> None:
    scorer = FrameScorer(128)
    products = sum(p.numel() for p in scorer.parameters() if p.ndim == 3)
    assert 81_000 < products < 82_371


def test_a_score_knows_20_frames_to_either_side() -> None:
    scorer = FrameScorer(64).eval()
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter.abs_()  # so that no ReLU closes
    x = torch.ones(1, 64, 101, requires_grad=True)
    scorer(x)[0, 50].backward()
    assert x.grad is not None
    reached = x.grad.abs().sum(dim=1)[0].nonzero()[:, 0]
    assert (int(reached[0]), int(reached[-1])) == (30, 70)


@pytest.mark.parametrize("bins", [80, 1, 256])
def test_other_numbers_of_bins_are_refused(bins: int) -> None:
    with pytest.raises(ValueError, match=rf"\[40, 64, 128\] bins, found {bins}"):
        DiffRes(DiffResSettings(), shape=(1, bins, 100))


@pytest.mark.parametrize("maximum", ["dense", "scatter"])
@pytest.mark.parametrize("delta", [0.0, 0.25, 0.5, 0.75])
def test_it_equals_the_definition_frame_by_frame(maximum: str, delta: float) -> None:
    features = voices()
    adapter = diffres(features, maximum=maximum, delta=delta)
    with torch.no_grad():
        made = adapter(features).numpy()
        weights = adapter.scorer(features[:, 0]).sigmoid().double().numpy()
        assert float(adapter.scores(features).std()) > 0.01 or delta == 0
    for clip in range(3):
        expected = oracle(features[clip, 0].double().numpy(), weights[clip], delta=delta)
        np.testing.assert_allclose(made[clip, 2], expected[2], atol=2e-5)
        # In nepers; slivers of a loud frame in a slot of silence are where float32 shows.
        np.testing.assert_allclose(made[clip, :2], expected[:2], atol=1e-3)
        assert np.quantile(np.abs(made[clip] - expected), 0.99) < 2e-5


def test_nothing_saved_and_equal_scores_leave_the_picture_alone() -> None:
    features = voices()
    adapter = diffres(features, delta=0.0)
    torch.nn.init.zeros_(adapter.scorer.blocks[-1].first[2].weight)  # type: ignore[index, union-attr]
    torch.nn.init.zeros_(adapter.scorer.blocks[-1].second[2].weight)  # type: ignore[index, union-attr]
    made = adapter(features)
    torch.testing.assert_close(made[:, :1], features, rtol=0, atol=1e-4)
    torch.testing.assert_close(made[:, 1:2], features, rtol=0, atol=1e-4)
    frames = features.shape[3]
    torch.testing.assert_close(made[1, 2], sinusoids(64, frames), rtol=0, atol=1e-4)


def test_the_size_decides_how_the_maximum_is_found() -> None:
    assert DiffRes(DiffResSettings(delta=0.75), shape=(1, 128, 101)).maximum == "dense"
    assert DiffRes(DiffResSettings(delta=0.75), shape=(1, 128, 1001)).maximum == "scatter"
    chosen = DiffResSettings(delta=0.75, maximum="dense")
    assert DiffRes(chosen, shape=(1, 128, 1001)).maximum == "dense"


def test_a_maximum_is_never_quieter_than_the_mean_of_as_many_frames() -> None:
    """max W e^X / (1 - delta) over at most `most` frames is at least their mean by the factor."""
    features = voices()
    adapter = diffres(features, delta=0.5)
    scores = adapter.scores(features)
    mean, maximum, _ = adapter(features).unbind(dim=1)
    most = int(torch.ceil(1 / scores.min())) + 2
    assert bool((maximum >= mean - np.log(most * 0.5) - 1e-4).all())


def test_the_encoding_is_trained_only_where_it_is_asked_for() -> None:
    features = voices()
    fixed, learned = diffres(features), diffres(features, learnable_encoding=True)
    assert "encoding" not in fixed.state_dict()
    assert learned.get_parameter("encoding").shape == (64, features.shape[3])
    torch.testing.assert_close(fixed(features), learned(features))


def test_decibels_do_not_overflow() -> None:
    adapter = diffres(voices())
    assert bool(torch.isfinite(adapter(voices() * 0 + 120.0)).all())


def test_the_guide_loss_is_that_of_the_definition() -> None:
    features = voices().clone()
    features[0, ..., 5:12] = FLOOR_LN
    features[2, ..., 30:33] = FLOOR_LN
    for delta in (0.25, 0.5, 0.75):
        adapter = diffres(features, delta=delta)
        with torch.no_grad():
            scores = adapter.scores(features).numpy()
            _, penalty = adapter.with_penalty(features)
        exact = features[:, 0].double().numpy()
        expected = guide_loss(exact, scores, delta=delta)
        np.testing.assert_allclose(float(penalty), expected, atol=1e-6)
        assert adapter.blank(features).sum(dim=1).tolist() == [7, 0, 3]


def test_the_guide_loss_lets_go_at_half_of_what_a_frame_gets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = voices()
    adapter = diffres(features, delta=0.5)
    for mean, expected in ((0.26, 0.26), (0.24, 0.0)):
        scores = torch.full((3, features.shape[3]), mean, dtype=torch.float64)
        monkeypatch.setattr(adapter, "scores", lambda _, scores=scores: scores)
        monkeypatch.setattr(adapter, "blank", lambda _, scores=scores: scores > 0)
        assert float(adapter.with_penalty(features)[1]) == pytest.approx(expected)


def test_the_guide_loss_can_be_weighed_and_left_out() -> None:
    features = voices()
    with torch.no_grad():
        full, half, none = (
            float(diffres(features, guide_weight=w).with_penalty(features)[1]) for w in (1, 0.5, 0)
        )
    assert full > 0
    assert half == pytest.approx(full / 2)
    assert none == 0


def test_the_guide_loss_teaches_that_blanked_frames_weigh_little() -> None:
    features = voices().clone()
    features[..., 10:20] = FLOOR_LN
    features[..., 40:46] = FLOOR_LN
    adapter = diffres(features, delta=0.5, settled=False).train()
    optimizer = torch.optim.Adam(adapter.parameters(), lr=3e-3)
    is_blank = adapter.blank(features)
    assert is_blank.sum(dim=1).tolist() == [16, 16, 16]
    before = float(adapter.scores(features).detach()[is_blank].mean())
    for _ in range(40):
        _, penalty = adapter.with_penalty(features)
        optimizer.zero_grad()
        penalty.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if float(penalty.detach()) == 0:
            break
    scores = adapter.scores(features).detach()
    assert before > 0.25
    # Below half of what a frame gets on average, the loss lets go.
    assert float(scores[is_blank].mean()) < 0.25 < float(scores[~is_blank].mean())
    torch.testing.assert_close(
        scores.sum(dim=1), torch.full((3,), float(adapter.kept)).double(), rtol=0, atol=1
    )


def test_blank_is_judged_against_the_batch_but_forward_is_not() -> None:
    features = voices().clone()
    alone = diffres(features)
    before = alone(features)[:1]
    features[1] = FLOOR_LN
    assert int(alone.blank(features)[0].sum()) == 0
    torch.testing.assert_close(alone(features)[:1], before, rtol=0, atol=1e-5)


def test_activeness_is_the_deviation_of_the_scores_that_are_not_of_blank_frames() -> None:
    features = voices().clone()
    features[0, ..., 5:12] = FLOOR_LN
    adapter = diffres(features)
    scores, counts = adapter.scores(features).detach(), ~adapter.blank(features)
    expected = [float(s[c].std()) for s, c in zip(scores, counts, strict=True)]
    np.testing.assert_allclose(adapter.activeness(features).numpy(), expected, atol=1e-6)
    assert min(expected) > 0


def test_the_task_alone_also_moves_the_scores() -> None:
    features = voices()
    adapter = diffres(features).train()
    adapter(features)[:, :2].square().mean().backward()
    first = next(adapter.scorer.parameters())
    assert first.grad is not None
    assert float(first.grad.abs().max()) > 0
