from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from earlet_train.augmentations import AUGMENTATIONS
from earlet_train.augmentations.augmentation import Floats
from earlet_train.augmentations.show import WINDOW_SAMPLES, Shown, draw, main, rows


def voice(hz: float) -> Floats:
    t = np.arange(WINDOW_SAMPLES) / 16_000
    wave = sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 20)) * np.sin(9 * t) ** 2
    levelled: Floats = (0.3 * wave / np.abs(wave).max()).astype(np.float32)
    return levelled


@pytest.fixture(scope="module")
def shown() -> list[Shown]:
    return list(rows(voice(120), voice(210)))


def test_every_augmentation_has_a_row_in_which_something_changed(shown: list[Shown]) -> None:
    assert [row.name for row in shown] == list(AUGMENTATIONS)
    for row in shown:
        assert not bool((row.pictures[0] == row.pictures[-1]).all())


def test_a_mixing_row_states_the_shares_of_both_labels(shown: list[Shown]) -> None:
    mixing = {row.name: row.titles[2] for row in shown if row.titles[0].startswith("A:")}
    assert set(mixing) == {"mixup", "random-specmix", "specmix"}
    for title in mixing.values():
        assert "bona fide +" in title
        assert "spoof" in title


def test_the_picture_is_written(shown: list[Shown], tmp_path: Path) -> None:
    draw(shown[:2], tmp_path / "new folder" / "a.png", title="two")
    assert (tmp_path / "new folder" / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_recordings_that_are_too_short_are_refused(corpus: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    done = CliRunner().invoke(app, ["--data", str(corpus), "--out", str(tmp_path / "a.png")])
    assert done.exit_code == 2
    assert "lasts 2 s" in done.output
    assert not (tmp_path / "a.png").exists()
