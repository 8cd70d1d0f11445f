from pathlib import Path

import numpy as np
import onnx
import pytest
from matplotlib.image import imread

from earlet_export.frontier import HEADER, frontier, rows
from earlet_export.frontier_page import frontier_parts
from earlet_export.frontier_picture import draw_frontier
from earlet_export.search import Int8, Judged, Tried
from earlet_export.speed import Speed


def judged(*, eer: float = 0.1, flips: int = 0, broken: tuple[str, ...] = ()) -> Judged:
    return Judged(eer=eer, flips=flips, decisions=50, max_abs_logit=0.25, broken=broken)


def speed(name: str, ratio: float) -> Speed:
    return Speed(candidate=name, p50_ms=20 * ratio, p90_ms=25 * ratio, ratio_to_fp32=ratio)


def tried(name: str, found: Judged, *, share: float = 0.0, timed: Speed | None = None) -> Tried:
    return Tried(
        name=name,
        method="minmax",
        corrected=False,
        clips=24,
        kept_float=("model/stem/Conv",) if share else (),
        float_share=share,
        judged=found,
        model_bytes=1_000 + int(1_000 * share),
        speed=timed,
    )


@pytest.fixture
def alone() -> Int8:
    only = tried("int8", judged())
    return Int8(
        model=onnx.ModelProto(), annotated=onnx.ModelProto, chosen=only, tried=(only,), ranking=()
    )


@pytest.fixture
def searched() -> Int8:
    plain = tried("int8", judged(eer=0.15, flips=9, broken=("too many",)), timed=speed("int8", 0.4))
    better = tried(
        "int8, first layer in float",
        judged(eer=0.1, flips=1),
        share=0.25,
        timed=speed("better", 0.5),
    )
    return Int8(
        model=onnx.ModelProto(),
        annotated=onnx.ModelProto,
        chosen=better,
        tried=(plain, better),
        ranking=(),
        fp32_speed=speed("fp32", 1.0),
    )


SIZES = {"fp32": 8_000, "int8": 3_000}


def test_where_int8_held_at_once_the_frontier_is_fp32_and_int8_with_the_final_times(
    alone: Int8,
) -> None:
    points = frontier(
        judged(),
        alone,
        original_eer=0.1,
        sizes_bytes=SIZES,
        speeds=[speed("fp32", 1.0), speed("int8", 0.6)],
    )
    assert [(p.name, p.ratio_to_fp32, p.size_bytes) for p in points] == [
        ("fp32", 1.0, 8_000),
        ("int8", 0.6, 3_000),
    ]
    assert [p.chosen for p in points] == [False, True]


def test_a_search_tells_every_graph_with_its_own_time_and_size(searched: Int8) -> None:
    points = frontier(
        judged(), searched, original_eer=0.1, sizes_bytes=SIZES, speeds=[speed("fp32", 1.0)]
    )
    assert [(p.name, p.ratio_to_fp32, p.holds) for p in points] == [
        ("fp32", 1.0, True),
        ("int8", 0.4, False),
        ("int8, first layer in float", 0.5, True),
    ]
    # The chosen graph's file is 3000 bytes, of which the model graph has 1250.
    assert [p.size_bytes for p in points] == [8_000, 2_750, 3_000]
    assert points[1].eer_change == pytest.approx(0.05)
    cells = rows(points)
    assert all(len(row) == len(HEADER) for row in cells)
    assert cells[2][:2] == ("**int8, first layer in float**", "1 layer, 25 % of the work")
    assert cells[1][-1] == "broken"
    page = "\n\n".join(frontier_parts(points, ()))
    assert "2 int8 graphs were tried" in page
    assert "| int8 | none | 15.00 % | +5.00 | 9 of 50 |" in page


def test_without_int8_there_is_no_section() -> None:
    points = frontier(judged(), None, original_eer=0.1, sizes_bytes={"fp32": 1}, speeds=[])
    assert len(points) == 1
    assert frontier_parts(points, ()) == []


def test_the_picture_shows_every_timed_point(searched: Int8, tmp_path: Path) -> None:
    points = frontier(judged(), searched, original_eer=0.1, sizes_bytes=SIZES, speeds=[])
    picture = imread(draw_frontier(points, tmp_path / "frontier.png"))
    assert picture.shape[0] > 300
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 20
    assert [file.name for file in tmp_path.iterdir()] == ["frontier.png"]
