import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import earlet
from earlet.bundle import Bundle
from earlet.errors import ParityError, UsageError
from earlet.replay import replay
from earlet_export.export import Exported, export_bundle
from earlet_export.material import Material
from earlet_train.checkpoint import Checkpoint
from earlet_train.network import numpy_logits

Array = NDArray[np.float32]


def test_the_bundle_verifies_in_the_runtime(exported: Exported) -> None:
    bundle = Bundle.open(exported.path)
    assert set(bundle.check_files()) == {
        *("fp32.onnx", "int8.onnx", "golden.npz", "report.json", "report.md", "card.md"),
        *("frontier.png", "scores.png", "det.png", "layers.png"),
    }
    for precision in ("fp32", "int8"):
        replayed = replay(bundle, precision)
        assert replayed.ok
    assert replay(bundle, "fp32").max_abs_logit < 1e-4
    assert replay(bundle, "int8").max_abs_logit > 1e-4, "int8 that equals fp32 is not int8"


def test_the_pages_show_every_picture_and_none_is_large(exported: Exported) -> None:
    page = (exported.path / "report.md").read_text()
    pictures = list(exported.path.glob("*.png"))
    assert len(pictures) == 4
    for picture in pictures:
        assert picture.stat().st_size < 60_000
        assert f"]({picture.name})" in page


def test_the_card_names_other_thresholds(exported: Exported) -> None:
    card = (exported.path / "card.md").read_text()
    assert f"| as shipped | {exported.manifest.threshold:+.3f} |" in card


def test_without_pictures_the_pages_point_to_none(
    checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    done = export_bundle(checkpoint, material, out=tmp_path / "b", data="sounds", pictures=False)
    assert not list(done.path.glob("*.png"))
    assert ".png" not in (done.path / "report.md").read_text()


def test_the_detector_gives_the_scores_of_the_network(
    exported: Exported, checkpoint: Checkpoint, material: Material
) -> None:
    detector = earlet.load(exported.path, precision="fp32")
    logits = numpy_logits(checkpoint.network())
    for heard in material.trials[:6]:
        window = heard.windows[0]
        verdict = detector(window, 16_000)
        (expected,) = logits(window[None])
        assert verdict.score == pytest.approx(float(expected[1] - expected[0]), abs=1e-4)
        assert verdict.label == heard.trial.key


def test_a_lone_graph_works_without_its_folder(exported: Exported, tmp_path: Path) -> None:
    alone = tmp_path / "renamed.onnx"
    alone.write_bytes((exported.path / "int8.onnx").read_bytes())
    noise = (np.random.default_rng(0).standard_normal(8_000) * 0.1).astype(np.float32)
    assert earlet.load(alone)(noise, 16_000).label == "spoof"


def test_the_frontend_stays_float_in_the_int8_graph(exported: Exported) -> None:
    graph = onnx.load(exported.path / "int8.onnx").graph
    frontend = [node for node in graph.node if node.name.startswith("frontend/")]
    assert len(frontend) > 10
    assert {node.op_type for node in graph.node} >= {"QuantizeLinear", "DequantizeLinear"}
    for node in frontend:
        assert node.op_type not in ("QuantizeLinear", "DequantizeLinear")
        assert not any("Dequantize" in name for name in node.input)


def test_the_same_checkpoint_gives_the_same_graphs(
    exported: Exported, checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    again = export_bundle(
        checkpoint, material, out=tmp_path / "again", data="sounds", precision="int8"
    )
    for name in ("fp32.onnx", "int8.onnx", "golden.npz"):
        assert (again.path / name).read_bytes() == (exported.path / name).read_bytes(), name


def test_a_broken_fp32_promise_names_the_numbers_and_writes_nothing(
    promising: Callable[..., Checkpoint], material: Material, tmp_path: Path
) -> None:
    strict = promising(fp32_max_abs_logit=1e-12)
    with pytest.raises(ParityError, match=r"fp32 moves a logit by .*at most 1e-12.*No bundle"):
        export_bundle(strict, material, out=tmp_path / "b", data="sounds")
    assert list(tmp_path.iterdir()) == []


def test_layers_are_put_back_to_float_where_int8_alone_changes_decisions(
    crushed: Checkpoint, material: Material, tmp_path: Path
) -> None:
    done = export_bundle(crushed, material, out=tmp_path / "b", data="sounds")
    assert set(done.report.kept_float) == {"model/body.9/Conv", "model/tall.0/Conv"}
    assert done.report.rungs["int8"].flips == 0
    page = (done.path / "report.md").read_text()
    assert "`model/tall.0/Conv`" in page
    assert "int8 alone did not hold" in page


def test_an_int8_promise_that_cannot_be_kept_writes_nothing(
    crushed: Checkpoint,
    material: Material,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With no layer allowed back, the crushed network cannot keep its decisions in int8.
    monkeypatch.setattr("earlet_export.search.MOST_IN_FLOAT", 0.0)
    with pytest.raises(ParityError, match=r"int8 changes \d+ of 24 dev decisions.*promised"):
        export_bundle(crushed, material, out=tmp_path / "b", data="sounds")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bundle_is_refused_before_any_work(
    exported: Exported, checkpoint: Checkpoint, material: Material
) -> None:
    steps: list[str] = []
    with pytest.raises(UsageError, match="--force"):
        export_bundle(checkpoint, material, out=exported.path, data="sounds", on_step=steps.append)
    assert steps == []


def test_weights_that_are_not_finite_fail_on_their_own(
    checkpoint: Checkpoint, material: Material, tmp_path: Path
) -> None:
    weights = {name: value.clone() for name, value in checkpoint.weights.items()}
    weights["model.output.bias"][0] = float("nan")
    broken = dataclasses.replace(checkpoint, weights=weights)
    with pytest.raises(ParityError, match=r"PyTorch original on .* are not finite"):
        export_bundle(broken, material, out=tmp_path / "b", data="sounds")
    assert list(tmp_path.iterdir()) == []
