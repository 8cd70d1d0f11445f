"""What an export says of its int8, its fp16 and the run it was fine-tuned from."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from earlet.bundle import Bundle
from earlet.errors import ParityError
from earlet.replay import replay
from earlet_export.export import Exported, export_bundle
from earlet_export.material import Material
from earlet_train.checkpoint import Checkpoint


def test_the_report_names_what_taught_int8_its_ranges(
    exported: Exported, material: Material
) -> None:
    told = json.loads((exported.path / "report.json").read_text())["calibration"]
    assert told["method"] == "minmax"
    assert told["clips"] == 3 * len(material.calibration) == 24
    assert told["files"] == list(material.calibration_files)
    assert len(told["files"]) == 8
    assert all(name.startswith("train_") for name in told["files"])
    windows = material.calibration.astype("<f4").tobytes()
    assert told["windows_sha256"] == hashlib.sha256(windows).hexdigest()


def test_recordings_as_loud_as_they_are_where_the_recipe_says_so(
    checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    export = dataclasses.replace(checkpoint.recipe.export, calibration="own-level")
    quiet = dataclasses.replace(checkpoint.recipe, export=export)
    done = export_bundle(
        dataclasses.replace(checkpoint, recipe=quiet),
        material,
        out=tmp_path / "b",
        data="sounds",
        pictures=False,
    )
    told = json.loads((done.path / "report.json").read_text())["calibration"]
    assert (told["method"], told["clips"]) == ("own-level", len(material.calibration))
    assert told["levels"] == "each window as it is"
    page = (done.path / "report.md").read_text()
    assert "as loud as they are" in page
    assert "three levels each" not in page


def test_the_frontier_of_an_int8_that_holds_at_once_is_fp32_and_int8(exported: Exported) -> None:
    told = json.loads((exported.path / "report.json").read_text())["frontier"]
    assert [point["name"] for point in told] == ["fp32", "int8"]
    assert [point["chosen"] for point in told] == [False, True]
    int8 = told[1]
    assert int8["p50_ms"] > 0
    assert int8["flips"] == exported.report.rungs["int8"].flips
    assert int8["eer"] == exported.report.rungs["int8"].eer.eer
    page = (exported.path / "report.md").read_text()
    assert "## The frontier" in page
    assert "| **int8** | none |" in page
    assert "(frontier.png)" in page
    assert (exported.path / "frontier.png").read_bytes().startswith(b"\x89PNG")


def test_fp16_is_a_third_smaller_graph_and_never_the_default(
    checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    done = export_bundle(
        checkpoint, material, out=tmp_path / "b", data="sounds", precision="fp32", fp16=True
    )
    bundle = Bundle.open(done.path)
    assert set(bundle.precisions) == {"fp32", "fp16"}
    assert done.manifest.default_precision == "fp32"
    assert replay(bundle, "fp16").ok
    rung = done.report.rungs["fp16"]
    assert rung.flips == 0
    assert 1e-6 < rung.max_abs_logit < 0.1
    sizes = {name: graph.size_bytes for name, graph in done.manifest.graphs.items()}
    assert sizes["fp16"] < sizes["fp32"]
    assert "| fp16 |" in (done.path / "report.md").read_text()


def test_int8_is_held_against_the_run_that_this_one_was_fine_tuned_from(
    checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    done = export_bundle(
        checkpoint, material, out=tmp_path / "same", data="sounds", against=checkpoint
    )
    assert done.report.against is not None
    assert done.report.against.eer == done.report.original_eer
    assert checkpoint.sha256[:12] in (done.path / "report.md").read_text()

    # A fine-tuning that turned everything round keeps to itself, and not to the first run.
    weights = {
        name: -value if name.startswith("model.output") else value
        for name, value in checkpoint.weights.items()
    }
    turned = dataclasses.replace(checkpoint, weights=weights)
    promises = dataclasses.replace(checkpoint.recipe.promises, int8_max_flip_rate=1.0)
    turned = dataclasses.replace(
        turned, recipe=dataclasses.replace(checkpoint.recipe, promises=promises)
    )
    with pytest.raises(ParityError, match=r"raises the dev EER from 0\.00%"):
        export_bundle(turned, material, out=tmp_path / "turned", data="sounds", against=checkpoint)
    assert not (tmp_path / "turned").exists()
