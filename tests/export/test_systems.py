import json
from pathlib import Path

import pytest

from earlet.cli import run
from earlet_export.studies.published import published_counts

RECIPE = """
name = "tiny"
version = "1"
description = "For tests"
[data]
window_samples = 8000
hop_samples = 8000
min_samples = 1000
[frontend]
kind = "bands"
bands = 32
[model]
kind = "narrow-cnn"
channels = [16, 16, 16]
[training]
epochs = 9
batch_size = 16
"""


def test_published_networks_have_the_published_number_of_parameters() -> None:
    counts = {count.what: (count.published, count.counted) for count in published_counts()}
    assert len(counts) == 11
    assert all(published == counted for published, counted in counts.values()), counts


def test_a_row_holds_the_whole_road_and_is_not_measured_twice(
    corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    arguments = ["study", "systems", "--corpus", str(corpus), "--out", str(tmp_path / "study")]
    arguments += ["--recipe", str(tmp_path / "tiny.toml"), "--clips", "32", "--epochs", "2"]
    arguments += ["--threads", "1"]
    assert run([*arguments, "--json"]) == 0, capfd.readouterr().err
    (row,) = json.loads(capfd.readouterr().out)["rows"]
    assert row["recipe"] == "tiny"
    assert row["epochs"] == 2
    assert row["overfit_steps"] is not None
    assert 0 < row["fp32_max_abs_logit"] < 1e-4
    assert row["int8_bytes"] < row["fp32_bytes"]
    kept = (tmp_path / "study" / "tiny" / "row.json").read_bytes()
    assert run(arguments) == 0
    shown = capfd.readouterr()
    assert "building" not in shown.err
    assert "11,780,329  equal" in shown.out
    assert (tmp_path / "study" / "tiny" / "row.json").read_bytes() == kept
    page = (tmp_path / "study" / "systems.md").read_text()
    assert page.count("| tiny |") == 1
    assert "**differs**" not in page
    (tmp_path / "tiny.toml").write_text(RECIPE.replace("For tests", "For other tests"))
    assert run(arguments) == 2
    assert "measured with another text of the recipe tiny. Remove" in capfd.readouterr().err
    assert (tmp_path / "study" / "tiny" / "row.json").read_bytes() == kept


def test_a_misspelt_recipe_is_found_before_anything_is_trained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["study", "systems", "--corpus", str(tmp_path), "--out", str(tmp_path / "study")]
    code = run([*arguments, "--recipe", "spec-resnot"])
    assert code == 2
    assert "did you mean 'spec-resnet'" in capfd.readouterr().err
    assert not (tmp_path / "study").exists()
