"""Rows are kept whole: appended, never lost, never half-written, readable again."""

import dataclasses
import json
import os
import threading
from pathlib import Path

import pytest

from earlet.errors import UsageError
from earlet_bench import results
from earlet_bench.results import append_rows, check_writable, read_rows, results_file, rows_json
from earlet_bench.rows import Row


def test_what_is_written_is_read_again_value_for_value(rows: list[Row], tmp_path: Path) -> None:
    file = append_rows(tmp_path, rows)
    assert read_rows(file) == rows


def test_rows_from_before_bad_recordings_were_counted_are_read(
    rows: list[Row], tmp_path: Path
) -> None:
    file = append_rows(tmp_path, rows)
    data = json.loads(file.read_text())
    for row in data["rows"]:
        if row["accuracy"] is not None:
            assert row["accuracy"].pop("left_out") == 0
    file.write_text(json.dumps(data))
    assert any(row.accuracy for row in rows)
    assert read_rows(file) == rows


def test_appending_keeps_the_earlier_rows_and_their_order(rows: list[Row], tmp_path: Path) -> None:
    file = append_rows(tmp_path, rows[:1])
    before = json.loads(file.read_text())["rows"]
    append_rows(tmp_path, rows[1:])
    after = json.loads(file.read_text())["rows"]
    assert after[:1] == before
    assert [row["precision"] for row in after] == [row.precision for row in rows]
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_rows_of_a_newer_schema_survive_and_are_not_misread(
    rows: list[Row], tmp_path: Path
) -> None:
    file = results_file(tmp_path, rows[0].device.slug)
    newer = {"schema": 2, "from": "the future"}
    file.write_text(json.dumps({"schema": 2, "rows": [newer]}))
    append_rows(tmp_path, rows)
    assert json.loads(file.read_text())["rows"][0] == newer
    assert read_rows(file) == rows


def test_each_kind_of_machine_has_its_own_file(rows: list[Row], tmp_path: Path) -> None:
    pi = dataclasses.replace(rows[0].device, board="Raspberry Pi 5 Model B")
    append_rows(tmp_path, rows)
    append_rows(tmp_path, [dataclasses.replace(rows[0], device=pi)])
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_benchmarks_that_end_together_all_keep_their_rows(rows: list[Row], tmp_path: Path) -> None:
    writers = [threading.Thread(target=append_rows, args=(tmp_path, rows[:1])) for _ in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(read_rows(results_file(tmp_path, rows[0].device.slug))) == 12


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = append_rows(tmp_path, rows)
    before = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        append_rows(tmp_path, rows)
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_a_damaged_file_is_refused_and_not_overwritten(rows: list[Row], tmp_path: Path) -> None:
    file = results_file(tmp_path, rows[0].device.slug)
    file.write_text("{ half of it")
    with pytest.raises(UsageError, match=r"not a results file.*Move it away"):
        append_rows(tmp_path, rows)
    with pytest.raises(UsageError, match="not a results file"):
        check_writable(tmp_path, rows[0].device.slug)
    assert file.read_text() == "{ half of it"


def test_a_row_edited_by_hand_is_refused_and_the_place_is_named(
    rows: list[Row], tmp_path: Path
) -> None:
    file = append_rows(tmp_path, rows[:1])
    data = json.loads(file.read_text())
    data["rows"][0]["latency"]["p50_ms"] = "fast"
    file.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=r"row 1\.latency\.p50_ms.*expected float.*'fast'"):
        read_rows(file)


def test_a_row_without_its_parity_is_no_row(rows: list[Row], tmp_path: Path) -> None:
    file = append_rows(tmp_path, rows[:1])
    data = json.loads(file.read_text())
    del data["rows"][0]["parity"]
    file.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="parity"):
        read_rows(file)
    with pytest.raises(TypeError, match="parity"):
        Row(**{k: v for k, v in vars(rows[0]).items() if k != "parity"})


def test_no_not_a_number_reaches_the_file(rows: list[Row]) -> None:
    broken = dataclasses.replace(
        rows[0], latency=dataclasses.replace(rows[0].latency, p50_ms=float("nan"))
    )
    with pytest.raises(ValueError, match="JSON compliant"):
        rows_json([broken])


def test_a_folder_that_cannot_be_made_is_refused_before_measuring(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot make the folder.*--results"):
        check_writable(tmp_path / "file" / "results", "slug")


def test_in_a_checkout_rows_go_to_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert results.default_folder() == Path("results")
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    assert results.default_folder() == Path("benchmarks/results")
