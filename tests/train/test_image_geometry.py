import numpy as np
import pytest
import torch
from torch import Tensor

from earlet_train.augmentations.image_geometry import ImageGeometry, ImageGeometrySettings

STILL = {
    "degrees": 0.0,
    "translate": 0.0,
    "low_scale": 1.0,
    "high_scale": 1.0,
    "shear_degrees": 0.0,
    "flip_probability": 0.0,
}


def moved(features: Tensor, *, seed: int = 0, blank: str = "zero", **keys: float) -> Tensor:
    settings = ImageGeometrySettings(**(STILL | keys), blank=blank)  # type: ignore[arg-type]
    geometry = ImageGeometry(settings, sample_rate_hz=16_000)
    return geometry.features(features, np.random.default_rng(seed))


def picture(height: int = 24, width: int = 60) -> Tensor:
    made_of = torch.Generator().manual_seed(0)
    return torch.rand(3, 2, height, width, generator=made_of)


def spot(height: int, width: int, *, up: int, right: int) -> Tensor:
    """One soft bright spot, so many cells from the middle."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre_y, centre_x = (height - 1) / 2 + up, (width - 1) / 2 + right
    return torch.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / 8)[None, None]


def centre(features: Tensor) -> tuple[float, float]:
    """-> how far the centre of mass lies from the middle: (up, right)."""
    height, width = features.shape[2:]
    mass = features[0, 0] / features.sum()
    up = float((mass.sum(dim=1) * (torch.arange(height) - (height - 1) / 2)).sum())
    return up, float((mass.sum(dim=0) * (torch.arange(width) - (width - 1) / 2)).sum())


def test_no_movement_is_the_same_picture() -> None:
    torch.testing.assert_close(moved(picture()), picture(), rtol=0, atol=1e-4)


def test_a_flip_reverses_time_and_nothing_else() -> None:
    torch.testing.assert_close(
        moved(picture(), flip_probability=1.0), picture().flip(-1), rtol=0, atol=1e-4
    )


def test_a_turn_keeps_distances_in_a_picture_that_is_not_square() -> None:
    spotted = spot(80, 200, up=0, right=20)
    ups = []
    for seed in range(8):
        up, right = centre(moved(spotted, seed=seed, degrees=40.0))
        ups.append(up)
        assert np.hypot(up, right) == pytest.approx(20.0, abs=0.1)
        assert abs(np.degrees(np.arctan2(up, right))) <= 40.0
    assert max(ups) > 5
    assert min(ups) < -5


def test_scale_moves_things_away_from_the_middle() -> None:
    up, right = centre(moved(spot(80, 200, up=8, right=20), low_scale=1.5, high_scale=1.5))
    assert up == pytest.approx(12.0, abs=0.1)
    assert right == pytest.approx(30.0, abs=0.1)


def test_a_shift_is_no_more_than_its_share_of_the_size() -> None:
    far = [centre(moved(spot(80, 200, up=0, right=0), seed=s, translate=0.1)) for s in range(30)]
    ups, rights = np.abs(np.array(far)).T
    assert 5 < ups.max() <= 8.01
    assert 12 < rights.max() <= 20.01


def test_a_slant_moves_bins_against_each_other_in_time() -> None:
    for seed in range(5):
        up, right = centre(moved(spot(80, 200, up=20, right=0), seed=seed, shear_degrees=30.0))
        assert up == pytest.approx(20.0, abs=0.1)
        assert 0.1 < abs(right) <= 20 * np.tan(np.deg2rad(30)) + 0.1


def test_what_comes_in_from_outside_is_the_lowest_value_of_each_channel() -> None:
    features = picture() * torch.tensor([1.0, 40.0])[:, None, None] - 80
    lowest = features.amin(dim=(2, 3), keepdim=True)
    changed = moved(features, low_scale=0.3, high_scale=0.3, blank="lowest")
    torch.testing.assert_close(
        changed[:, :, :3, :3], lowest.expand(-1, -1, 3, 3), rtol=0, atol=1e-4
    )
    assert bool((changed >= lowest - 1e-3).all())


def test_every_channel_moves_alike() -> None:
    features = picture()[:, :1].expand(-1, 2, -1, -1)
    changed = moved(features, degrees=20.0, translate=0.2, shear_degrees=10.0)
    torch.testing.assert_close(changed[:, 0], changed[:, 1])


def test_only_copies_are_changed_unless_the_recipe_says_otherwise() -> None:
    assert ImageGeometry(ImageGeometrySettings(), sample_rate_hz=16_000).copies_only
    everything = ImageGeometrySettings(copies_only=False)
    assert not ImageGeometry(everything, sample_rate_hz=16_000).copies_only


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match="low_scale"):
        ImageGeometrySettings(low_scale=1.2, high_scale=1.0)
    with pytest.raises(ValueError, match="shear_degrees"):
        ImageGeometrySettings(shear_degrees=90.0)
