import numpy as np
import pytest
import torch
from torch import Tensor

from earlet_train.adapters.relevance import BandWeights, Mask, Relevance, RelevanceSettings

SHAPE = (1, 80, 60)


def log_bands(batch: int = 2, bands: int = 80, frames: int = 60) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(batch, 1, bands, frames, generator=generator) * 2 - 4


def relevance(shape: tuple[int, int, int] = SHAPE, **settings: object) -> Relevance:
    torch.manual_seed(6)
    return Relevance(RelevanceSettings(**settings), shape=shape).eval()  # type: ignore[arg-type]


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("heads", [0, 1, 2, 3, 4, 80])
def test_every_head_has_1151_parameters(heads: int) -> None:
    adapter = relevance(heads=heads)
    assert parameters(adapter) == 1_151 * heads
    assert adapter(log_bands()).shape == (2, 3, 80, 52)


def test_the_published_ten_seconds_become_423_frames() -> None:
    assert parameters(relevance()) == 2_302
    assert relevance((1, 80, 431))(log_bands(1, frames=431)).shape == (1, 3, 80, 423)


def test_the_mask_is_two_linear_layers_slid_along_each_band() -> None:
    torch.manual_seed(1)
    mask, x = Mask(10), log_bands(1, bands=3, frames=30)
    found = mask(x).detach().double().numpy()[0, 0]
    first, second = (p.detach().double().numpy() for p in (mask.context.weight, mask.merge.weight))
    bias = [
        p.detach().double().numpy() for p in (mask.context.bias, mask.merge.bias) if p is not None
    ]
    padded = np.pad(x[0, 0].double().numpy(), ((0, 0), (10, 10)))
    for band in range(3):
        for frame in range(30):
            hidden = first[:, 0, 0] @ padded[band, frame : frame + 21] + bias[0]
            logit = second[0, :, 0, 0] @ sigmoid(hidden) + bias[1][0]
            np.testing.assert_allclose(found[band, frame], sigmoid(logit), atol=1e-6)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def test_heads_of_zeros_weigh_everything_alike_and_only_stretch() -> None:
    """A mask of 1/2 everywhere goes away when each head is stretched to 0..1."""
    adapter, x = relevance(), log_bands()
    for parameter in adapter.parameters():
        torch.nn.init.zeros_(parameter)
    made = adapter(x)[:, 0]
    for head in (slice(0, 40), slice(40, 80)):
        group = x[:, 0, head]
        low, high = group.amin(dim=(1, 2), keepdim=True), group.amax(dim=(1, 2), keepdim=True)
        expected = ((group - low) / (high - low))[..., 4:-4]
        torch.testing.assert_close(made[:, head], expected, rtol=0, atol=1e-5)


def test_each_head_of_each_clip_spans_0_to_1() -> None:
    adapter = relevance()
    stretched: list[Tensor] = []
    quiet = log_bands() * torch.tensor([1.0, 0.01])[:, None, None, None]
    made = adapter(quiet)[:, 0]
    # Four frames are cut off at each end, so the extremes themselves may be.
    for clip in made:
        for head in (clip[:40], clip[40:]):
            stretched.append(head)
            assert float(head.detach().min()) >= 0
            assert float(head.detach().max()) <= 1 + 1e-6
            assert float((head.max() - head.min()).detach()) > 0.7
    assert len(stretched) == 4


def test_slopes_stand_in_channels_two_and_three_on_the_same_frames() -> None:
    ramp = torch.linspace(0, 1, 60).expand(1, 1, 80, 60)
    made = relevance(heads=0)(ramp)
    torch.testing.assert_close(made[:, :1], ramp[..., 4:-4], rtol=0, atol=1e-6)
    torch.testing.assert_close(made[:, 1], torch.full((1, 80, 52), 1 / 59), rtol=0, atol=1e-6)
    torch.testing.assert_close(made[:, 2], torch.zeros(1, 80, 52), rtol=0, atol=1e-6)


def test_every_other_band_goes_to_the_other_head() -> None:
    x = log_bands(1)
    reordered = torch.cat([x[:, :, 0::2], x[:, :, 1::2]], dim=2)
    torch.testing.assert_close(relevance(split="even-odd")(x), relevance()(reordered))


@pytest.mark.parametrize("form", ["asc", "usc"])
def test_what_one_head_hears_changes_nothing_in_the_other(form: str) -> None:
    adapter, x = relevance(form=form), log_bands(1)
    louder = x.clone()
    louder[:, :, 40:] += torch.randn(1, 1, 40, 60)
    before, after = adapter(x), adapter(louder)
    torch.testing.assert_close(after[:, :, :40], before[:, :, :40], rtol=0, atol=1e-6)
    assert float((after - before)[:, :, 40:].detach().abs().max()) > 1e-2


def test_bands_that_do_not_divide_are_shared_out_by_one_more() -> None:
    assert relevance(heads=3).sizes == [27, 27, 26]


def test_a_band_s_weight_in_a_patch_of_51_frames_is_one_number_and_the_weights_sum_to_1() -> None:
    torch.manual_seed(2)
    head, x = BandWeights(25), log_bands(2, bands=40, frames=120)
    weights = head(x)
    assert parameters(head) == 51 * 10 + 10 + 10 + 1
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(2, 1, 120), rtol=0, atol=1e-5)
    for start, stop in ((0, 51), (51, 102), (102, 120)):
        assert bool((weights[..., start:stop] == weights[..., start : start + 1]).all())
    one = head(x[..., :51])
    torch.testing.assert_close(one, weights[..., :51], rtol=0, atol=1e-6)
    logits = head.merge(torch.sigmoid(head.context(x[:, 0, :, :51])))[..., 0]
    torch.testing.assert_close(one[:, 0, :, 0], logits.softmax(dim=1), rtol=0, atol=1e-6)


def test_urban_sounds_come_out_with_mean_0_and_spread_1_per_band_and_clip() -> None:
    made = relevance((1, 80, 51), form="usc")(log_bands(frames=51) * 5)
    assert made.shape == (2, 1, 80, 51)
    expected = torch.nn.functional.instance_norm(made[:, 0])
    torch.testing.assert_close(made[:, 0], expected, rtol=0, atol=1e-4)


def test_silence_becomes_nothing_instead_of_nan() -> None:
    silence = torch.full((1, 1, 80, 60), -6.9)
    assert float(relevance(heads=0)(silence).abs().max()) == 0
    for form in ("asc", "usc"):
        assert bool(torch.isfinite(relevance(form=form)(silence)).all())


@pytest.mark.parametrize(
    ("settings", "shape", "complaint"),
    [
        ({"heads": 4}, (1, 3, 60), "found 3 bands for 4 heads"),
        ({}, (1, 80, 8), "found 8 frames, expected at least 9"),
        ({}, (3, 80, 60), "found features of 3 channels"),
        ({"heads": 4, "split": "even-odd"}, SHAPE, "set heads to 2"),
    ],
)
def test_what_cannot_be_weighed_is_refused(
    settings: dict[str, object], shape: tuple[int, int, int], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        relevance(shape, **settings)
