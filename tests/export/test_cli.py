import json
import shutil
from pathlib import Path

import pytest

from earlet.bundle import Bundle
from earlet.cli import run


def test_export_writes_a_bundle_that_verify_accepts(
    run_folder: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    code = run(["export", str(run_folder), "--out", str(out), "--data", str(corpus)])
    shown = capfd.readouterr()
    assert code == 0, shown.err
    assert [line.split()[0] for line in shown.out.splitlines()[1:4]] == ["torch", "fp32", "int8"]
    assert "… proving fp32" in shown.err
    assert run(["verify", str(out)]) == 0
    assert Bundle.open(out).manifest.name == "tone-or-noise"


def test_fp32_alone_can_be_asked_for_and_json_is_alone_on_stdout(
    run_folder: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", str(run_folder), "--out", str(tmp_path / "b"), "--data", str(corpus)]
    assert run([*arguments, "--precision", "fp32", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["rungs"]["fp32"]["max_abs_logit"] < 1e-4
    assert found["sizes_bytes"]["fp32"] == (tmp_path / "b" / "fp32.onnx").stat().st_size
    assert "int8" not in found["rungs"]
    assert not (tmp_path / "b" / "int8.onnx").exists()


def test_bad_recordings_are_named_and_left_out_only_as_asked(
    run_folder: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy, out = Path(shutil.copytree(corpus, tmp_path / "sounds")), tmp_path / "b"
    gone = copy / "SOUNDS_dev" / "flac" / "dev_07.flac"
    gone.unlink()
    arguments = ["export", str(run_folder), "--out", str(out), "--data", str(copy)]
    assert run(arguments) == 2
    err = capfd.readouterr().err
    # Of the train split, eight recordings calibrate.
    assert f"1 of 56 recordings cannot be used:\n  {gone} is missing" in err
    assert not out.exists()
    assert run([*arguments, "--precision", "fp32", "--skip-bad"]) == 0
    assert f"left out 1 of 56 recordings that cannot be used:\n  {gone}" in capfd.readouterr().err
    assert json.loads((out / "report.json").read_text())["left_out"] == {"dev_07": "is missing"}
    page = (out / "report.md").read_text()
    assert "Left out as asked: 1 that cannot be used (dev_07 is missing)." in page
    assert run(["verify", str(out), "--data", str(copy), "--split", "dev"]) == 2
    assert run(["verify", str(out), "--data", str(copy), "--split", "dev", "--skip-bad"]) == 0


def test_a_corpus_that_is_not_found_is_asked_for(
    run_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(run_folder), "--out", str(tmp_path / "b")]) == 2
    assert "--data CORPUS" in capfd.readouterr().err
    assert not (tmp_path / "b").exists()


def test_the_corpus_of_the_run_is_found_beside_it(run_folder: Path, corpus: Path) -> None:
    from earlet_export.corpus import find_corpus

    beside = run_folder.parent / "sounds"
    beside.symlink_to(corpus)
    try:
        assert find_corpus("sounds", run=run_folder) == beside
        assert find_corpus("sounds", run=run_folder / "best.safetensors") == beside
    finally:
        beside.unlink()


def test_a_run_that_is_not_there_is_said_before_anything_else(
    tmp_path: Path, corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", str(tmp_path / "none"), "--out", str(tmp_path / "b")]
    assert run([*arguments, "--data", str(corpus)]) == 4
    assert "there is no checkpoint" in capfd.readouterr().err


def test_an_existing_bundle_is_refused_with_the_way_out(
    run_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(run_folder), "--out", str(tmp_path)]) == 2
    assert "--force" in capfd.readouterr().err
