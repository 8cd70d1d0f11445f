"""The picture is a picture, complete or not there."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from earlet.errors import MissingExtra
from earlet_bench.picture import _COLOURS, draw
from earlet_bench.rows import Row


def test_rows_become_a_png_that_grows_with_them(rows: list[Row], tmp_path: Path) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.image import imread

    draw(rows, tmp_path / "two.png")
    more = [*rows, *(dataclasses.replace(row, bundle="other") for row in rows)]
    draw(more, tmp_path / "four.png")
    two, four = imread(tmp_path / "two.png"), imread(tmp_path / "four.png")
    assert four.shape[0] > two.shape[0]
    assert four.shape[1] == two.shape[1]
    for precision in ("fp32", "int8"):
        colour = 0.85 * np.array(to_rgb(_COLOURS[precision])) + 0.15
        in_two, in_four = (
            (np.abs(p[..., :3] - colour) < 0.02).all(axis=-1).sum() for p in (two, four)
        )
        assert in_two > 100, f"there is a bar for {precision}"
        assert in_four > 1.5 * in_two, "and one for each bundle"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["four.png", "two.png"]


def test_without_labelled_data_there_is_one_panel(rows: list[Row], tmp_path: Path) -> None:
    from matplotlib.image import imread

    draw(rows, tmp_path / "both.png")
    draw([dataclasses.replace(row, accuracy=None) for row in rows], tmp_path / "one.png")
    assert imread(tmp_path / "one.png").shape[1] < imread(tmp_path / "both.png").shape[1]


def test_without_matplotlib_the_pip_line_is_given(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtra, match=r"pip install 'earlet\[bench\]'"):
        draw(rows, tmp_path / "none.png")
    assert list(tmp_path.iterdir()) == []
