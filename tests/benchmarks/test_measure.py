"""A bundle's rows: every graph, its parity on this machine, and everything about the same file."""

import dataclasses
import json
import socket
import tempfile
from pathlib import Path

import pytest

from earlet.bundle import find, sha256
from earlet.errors import BundleError, UsageError
from earlet_bench.device import this_device
from earlet_bench.latency import Budget
from earlet_bench.measure import Plan, measure_bundle
from earlet_bench.rows import Row

QUICK = Plan(budget=Budget(rounds=10), cold_starts=0)


def test_each_graph_has_a_row_with_its_own_hash_and_size(rows: list[Row], exported: Path) -> None:
    assert [row.precision for row in rows] == ["fp32", "int8"]
    for row in rows:
        data = (exported / f"{row.precision}.onnx").read_bytes()
        assert row.sha256 == sha256(data)
        assert row.size_bytes == len(data)
        assert row.bundle_sha256 == sha256((exported / "manifest.json").read_bytes())


def test_no_row_is_without_the_replay_of_its_file(rows: list[Row]) -> None:
    fp32, int8 = rows
    assert fp32.parity.passed
    assert int8.parity.passed
    assert fp32.parity.signals == int8.parity.signals == 17
    assert fp32.parity.max_abs_logit is not None
    assert int8.parity.max_abs_logit is not None
    assert 0 < fp32.parity.max_abs_logit < 1e-4 < int8.parity.max_abs_logit < 0.5


def test_latency_memory_and_accuracy_are_in_the_same_row(rows: list[Row]) -> None:
    for row in rows:
        timed = row.latency
        assert 0 < timed.p50_ms <= timed.p90_ms <= timed.p99_ms <= timed.max_ms
        assert timed.window_s == 0.5
        assert timed.rounds == 12
        assert timed.frontend_share is not None
        assert 0 < timed.frontend_share < 1
        assert row.cold_start is not None
        assert row.cold_start.peak_rss_bytes > 20_000_000
        assert row.accuracy is not None
        assert row.accuracy.trials == 36
    assert rows[0].latency.versus_fp32 is None
    assert rows[1].latency.versus_fp32 is not None
    assert rows[1].latency.versus_fp32 > 0
    assert rows[1].accuracy is not None
    assert rows[1].accuracy.reference == "fp32"


def test_nothing_in_a_row_names_the_machine_or_its_folders(rows: list[Row]) -> None:
    text = json.dumps([dataclasses.asdict(row) for row in rows])
    assert str(Path.home()) not in text
    assert tempfile.gettempdir() not in text
    assert f'"{socket.gethostname()}"' not in text


@pytest.mark.usefixtures("installed_original")
def test_the_original_is_measured_beside_its_graphs(exported: Path, run: Path) -> None:
    plan = dataclasses.replace(QUICK, original=run, cold_starts=1)
    original, fp32, int8 = measure_bundle(find(exported), plan=plan, device=this_device())
    assert original.precision == "original"
    assert original.parity.passed
    assert original.parity.max_abs_logit is not None
    assert original.parity.max_abs_logit < 1e-5
    assert original.size_bytes == (run / "best.safetensors").stat().st_size
    assert original.latency.versus_original is None
    assert fp32.latency.versus_original is not None
    assert int8.latency.versus_original is not None
    assert original.cold_start is not None
    assert original.cold_start.first_ms > 0


@pytest.mark.usefixtures("installed_original")
def test_a_run_that_the_bundle_does_not_come_from_is_refused(
    exported: Path, run: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    data = bytearray((run / "best.safetensors").read_bytes())
    data[-1] ^= 1
    (other / "best.safetensors").write_bytes(data)
    with pytest.raises(UsageError, match=r"was exported from .* Give the run"):
        measure_bundle(
            find(exported), plan=dataclasses.replace(QUICK, original=other), device=this_device()
        )


def test_each_number_of_threads_has_its_own_row_and_replay(exported: Path) -> None:
    plan = dataclasses.replace(QUICK, threads=(1, 2))
    rows = measure_bundle(find(exported), plan=plan, device=this_device())
    assert [(row.precision, row.threads) for row in rows] == [
        ("fp32", 1),
        ("fp32", 2),
        ("int8", 1),
        ("int8", 2),
    ]
    assert all(row.parity.passed for row in rows)


def test_a_bundle_whose_original_answered_something_else_fails_in_its_row(
    lying_bundle: Path,
) -> None:
    rows = measure_bundle(find(lying_bundle), plan=QUICK, device=this_device())
    assert [row.parity.passed for row in rows] == [False, False]
    assert rows[0].parity.max_abs_logit == pytest.approx(1.0, abs=1e-3)


def test_a_changed_graph_is_not_measured_at_all(bundle: Path) -> None:
    file = bundle / "int8.onnx"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError, match="not the file that was exported"):
        measure_bundle(find(bundle), plan=QUICK, device=this_device())
