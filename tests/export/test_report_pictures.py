"""The pictures of a report: drawn where there is something to show, small, the same each time."""

import io

import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from earlet_export.layer_noise import LayerNoise
from earlet_export.report_pictures import Scores, det_png, draw, layers_png, picture_parts

MOST_BYTES = 60_000


def scores(*, noise: float = 0.2, apart: float = 1.5, recordings: int = 200) -> Scores:
    rng = np.random.default_rng(0)
    positive = np.arange(recordings) % 2 == 0
    exact = np.where(positive, apart, -apart) + rng.normal(size=recordings)
    moved = exact + rng.normal(0, noise, recordings)
    return Scores(
        by_rung={"torch": exact, "fp32": exact, "int8": moved},
        is_positive=positive,
        positive="spoof",
        threshold=0.1,
        data="200 dev recordings of nothing",
    )


NOISE = [
    LayerNoise(layer=f"model/blocks.{i}/Conv", sqnr_db=40.0 - i, integer=i != 2) for i in range(9)
]


def pixels(png: bytes) -> NDArray[np.float32]:
    found: NDArray[np.float32] = matplotlib.image.imread(io.BytesIO(png))
    return found


def colours(png: bytes) -> set[tuple[int, ...]]:
    rgb = (pixels(png)[..., :3] * 255).round().astype(int).reshape(-1, 3)
    return {tuple(int(v) for v in row) for row in np.unique(rgb, axis=0)}


def test_all_three_are_drawn_small_and_the_same_each_time() -> None:
    first, again = draw(scores(), NOISE), draw(scores(), NOISE)
    assert set(first) == {"scores.png", "det.png", "layers.png"}
    assert first == again
    for png in first.values():
        assert len(png) < MOST_BYTES
        assert min(pixels(png).shape[:2]) > 200


def test_a_thousand_recordings_and_a_deep_network_stay_small() -> None:
    deep = [
        LayerNoise(layer=f"model/layer{i}.{'x' * 60}/Conv", sqnr_db=30.0 - i / 10, integer=True)
        for i in range(80)
    ]
    for png in draw(scores(recordings=1000), deep).values():
        assert len(png) < MOST_BYTES


def test_without_int8_there_is_no_scatter_and_without_layers_no_bars() -> None:
    both = scores()
    alone = Scores(
        by_rung={name: both.by_rung[name] for name in ("torch", "fp32")},
        is_positive=both.is_positive,
        positive=both.positive,
        threshold=both.threshold,
        data=both.data,
    )
    assert set(draw(alone)) == {"det.png"}


def test_a_layer_in_float_is_told_from_one_in_integers_by_its_colour() -> None:
    blue, grey = (0, 114, 178), (136, 136, 136)
    assert {blue, grey} <= colours(layers_png(NOISE))
    one = layers_png([LayerNoise(layer="a", sqnr_db=20.0, integer=True)])
    # The legend alone names float: its patch is much smaller than a bar.
    assert _share(one, blue) > 5 * _share(one, grey)


@pytest.mark.parametrize("apart", [8.0, 0.0])
def test_a_detector_that_is_never_wrong_or_only_guesses_is_drawn_too(apart: float) -> None:
    orange = (213, 94, 0)
    assert orange in colours(det_png(scores(apart=apart, noise=0.0)))


def test_a_page_shows_the_pictures_that_are_there() -> None:
    assert picture_parts([]) == []
    heading, only = picture_parts(["det.png"])
    assert heading.startswith("## ")
    assert only.endswith("(det.png)")


def _share(png: bytes, colour: tuple[int, ...]) -> float:
    rgb = (pixels(png)[..., :3] * 255).round().astype(int)
    return float((rgb == np.array(colour)).all(axis=-1).mean())
