import json
from pathlib import Path

import pytest

from earlet.cli import run


def test_a_folder_without_runs_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["study", "exports", "--runs", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "no run folder at or below" in capfd.readouterr().err


def test_the_command_writes_the_page_and_prints_json_alone(
    run_folder: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["study", "exports", "--runs", str(run_folder), "--corpus", str(corpus)]
    assert run([*asked, "--out", str(tmp_path), "--proof-clips", "24", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)["rows"]
    page = (tmp_path / "exports.md").read_text()
    assert f"| {row['run']} |" in page
    assert f"{row['flips']} of {row['decisions']}" in page


def test_the_page_keeps_the_rows_of_other_runs(
    run_folder: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["study", "exports", "--runs", str(run_folder), "--corpus", str(corpus)]
    asked += ["--out", str(tmp_path), "--proof-clips", "24", "--json"]
    assert run(asked) == 0
    row = json.loads((tmp_path / "tone.json").read_text())
    (tmp_path / "earlier.json").write_text(json.dumps(row | {"run": "earlier"}))
    capfd.readouterr()
    assert run(asked) == 0
    assert [r["run"] for r in json.loads(capfd.readouterr().out)["rows"]] == ["earlier", "tone"]
    page = (tmp_path / "exports.md").read_text()
    assert page.index("| earlier |") < page.index("| tone |")
