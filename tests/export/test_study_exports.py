import dataclasses
import json
from pathlib import Path

import pytest

from earlet_export.studies.exports import Effort, ExportRow, Failed, find_runs, study_exports
from earlet_export.studies.exports_page import exports_table


def studied(run: Path, corpus: Path, out: Path, steps: list[str]) -> list[ExportRow | Failed]:
    return study_exports(
        [run],
        root=run.parent,
        corpora=[corpus],
        out=out,
        effort=Effort(proof_clips=24),
        on_step=steps.append,
        on_row=lambda _: None,
    )


@pytest.fixture(scope="module")
def rows(
    run_folder: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[ExportRow | Failed], Path, list[str]]:
    out, steps = tmp_path_factory.mktemp("exports"), list[str]()
    return studied(run_folder, corpus, out, steps), out, steps


def test_a_row_tells_what_an_export_found(
    rows: tuple[list[ExportRow | Failed], Path, list[str]],
) -> None:
    (row,), _, _ = rows
    assert isinstance(row, ExportRow)
    assert (row.run, row.recipe, row.decisions) == ("tone", "tone-or-noise", 24)
    assert 0 < row.fp32_max_abs_logit <= 1e-4 < row.int8_max_abs_logit
    assert row.low <= row.eer_change <= row.high
    assert row.epochs > 0
    assert row.recordings > 0
    assert 0 < row.int8_bytes < row.fp32_bytes
    assert row.int8_to_fp32 > 0
    assert row.fp32_to_torch > 0
    assert row.tried == 1
    assert row.why == ()


def test_a_row_that_is_done_is_not_measured_again_until_the_weights_change(
    rows: tuple[list[ExportRow | Failed], Path, list[str]], run_folder: Path, corpus: Path
) -> None:
    found, out, _ = rows
    steps: list[str] = []
    assert studied(run_folder, corpus, out, steps) == found
    assert steps == []
    kept = json.loads((out / "tone.json").read_text())
    other, older = kept | {"checkpoint_sha256": "other"}, kept.copy()
    del older["recordings"]
    for stale in (other, older):
        steps.clear()
        (out / "tone.json").write_text(json.dumps(stale))
        studied(run_folder, corpus, out, steps)
        assert steps


def test_a_run_without_its_corpus_fails_alone_and_says_why(
    run_folder: Path, tmp_path: Path
) -> None:
    heard: list[int] = []
    (row,) = study_exports(
        [run_folder],
        root=run_folder.parent,
        corpora=[],
        out=tmp_path / "out",
        effort=Effort(),
        on_step=lambda _: None,
        on_row=lambda rows: heard.append(len(rows)),
    )
    assert isinstance(row, Failed)
    assert "'sounds', which is not found" in row.why
    assert heard == [1]
    assert "**tone**: no row" in exports_table([row]).markdown()


def test_the_page_says_why_a_promise_is_broken(
    rows: tuple[list[ExportRow | Failed], Path, list[str]],
) -> None:
    (row,), _, _ = rows
    assert isinstance(row, ExportRow)
    broken = dataclasses.replace(
        row,
        why=("int8 raises the dev EER from 1.00% to 2.00%",),
        eer_change=0.01,
        low=-0.01,
        high=0.02,
        margin=0.1,
        moved=0.08,
        int8_to_fp32=1.2,
    )
    page = exports_table([broken]).markdown()
    assert "| no |" in page
    assert "raises the dev EER from 1.00% to 2.00%" in page
    assert "holds zero" in page
    assert "hug the threshold" in page
    assert "no faster than fp32 here for tone: ship fp32" in page
    assert "hug" not in exports_table([row]).markdown()


def test_runs_are_found_at_any_depth(run_folder: Path, tmp_path: Path) -> None:
    assert find_runs(run_folder.parent) == [run_folder]
    assert find_runs(run_folder) == [run_folder]
    deep = tmp_path / "a" / "b" / "run"
    deep.mkdir(parents=True)
    (deep / "best.safetensors").write_bytes(b"")
    assert find_runs(tmp_path) == [deep]
