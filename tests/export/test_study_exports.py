import dataclasses
import json
from pathlib import Path

import pytest

from earlet.errors import UsageError
from earlet_export.studies.exports import (
    Effort,
    Failed,
    find_runs,
    study_exports,
    tuned_from,
)
from earlet_export.studies.exports_page import exports_table
from earlet_export.studies.exports_rows import ExportRow, keep, kept_of_others
from earlet_train.checkpoint import load_checkpoint
from earlet_train.progress import Silence
from earlet_train.quantization_aware import fine_tuning
from earlet_train.run import Options, train_run


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
    assert 0 < row.fp32_max_abs_logit <= 1e-4
    assert row.int8_max_abs_logit is not None
    assert row.int8_max_abs_logit > 1e-4
    assert row.low <= row.eer_change <= row.high
    assert row.epochs > 0
    assert row.recordings > 0
    assert 0 < row.int8_bytes < row.fp32_bytes
    assert row.int8_to_fp32 > 0
    assert row.model_int8_to_fp32 is not None
    assert row.model_int8_to_fp32 > 0
    assert row.fp32_to_torch > 0
    assert row.tuned_from == ""
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


def test_a_run_fine_tuned_for_int8_is_held_against_the_run_it_came_from(
    run_folder: Path, corpus: Path, tmp_path: Path
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    (before / "best.safetensors").write_bytes((run_folder / "best.safetensors").read_bytes())
    recipe = fine_tuning(load_checkpoint(before).recipe, weights=before)
    options = Options(epochs=1, threads=1, weights=before)
    train_run(recipe, corpus=corpus, out=after, options=options, watcher=Silence())
    assert tuned_from(before, [before, after]) is None
    assert tuned_from(after, [before, after]) == before
    with pytest.raises(UsageError, match=r"fine-tuned from the weights best\.safetensors sha256:"):
        tuned_from(after, [after])

    rows = study_exports(
        [after, before],
        root=tmp_path,
        corpora=[corpus],
        out=tmp_path / "out",
        effort=Effort(proof_clips=24),
        on_step=lambda _: None,
        on_row=lambda _: None,
    )
    tuned, plain = rows
    assert isinstance(tuned, ExportRow)
    assert isinstance(plain, ExportRow)
    assert (tuned.tuned_from, plain.tuned_from) == ("before", "")
    assert tuned.original_eer == plain.original_eer
    page = exports_table(rows).markdown()
    assert "int8 in mind" in page
    assert "after from before" in page


def test_rows_of_runs_that_are_elsewhere_stay(
    rows: tuple[list[ExportRow | Failed], Path, list[str]], tmp_path: Path
) -> None:
    (row,), _, _ = rows
    assert isinstance(row, ExportRow)
    older = dataclasses.replace(row, run="a/b", model_int8_to_fp32=None, margin=None, tried=None)
    keep(tmp_path, row)
    keep(tmp_path, older)
    (tmp_path / "other.json").write_text("{}")
    assert kept_of_others(tmp_path, {"tone"}) == [older]
    assert kept_of_others(tmp_path, {"tone", "a/b"}) == []
    assert "| a/b |" in exports_table([older]).markdown()
