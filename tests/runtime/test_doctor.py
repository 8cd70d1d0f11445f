"""`earlet doctor` and `earlet models` look at what is really there."""

import importlib.metadata
import json
import shutil
from pathlib import Path

import pytest

from earlet import bundle as bundles
from earlet import cli
from earlet.cli import run
from earlet.commands import doctor


@pytest.fixture(autouse=True)
def _verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        importlib.metadata.EntryPoint(name, f"earlet.commands.{name}:{name}", cli.GROUP)
        for name in ("doctor", "models")
    ]
    monkeypatch.setattr(cli, "entry_points", lambda *, group: entries)


@pytest.fixture
def installed(shared_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shipped detectors, `alto` the default."""
    models = tmp_path / "models"
    for name in ("alto", "bass"):
        shutil.copytree(shared_bundle, models / name)
    (models / "default.txt").write_text("alto\n")
    monkeypatch.setattr(bundles, "SHIPPED", models)
    return models


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == doctor.SCHEMA
    return {one["what"]: one for one in record["findings"]}


def test_this_machine_is_well(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = findings(capsys)
    assert found["numpy"]["found"] == importlib.metadata.version("numpy")
    assert "WAV, FLAC, OGG" in found["sound files"]["found"]
    assert "fp32 within" in found["detector bass"]["found"]
    assert all(one["state"] != "bad" for one in found.values())


def test_a_damaged_detector_is_found(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (installed / "bass" / "card.md").write_text("other")
    assert run(["doctor", "--json"]) == 1
    found = findings(capsys)
    assert found["detector alto"]["state"] == "ok"
    assert "card.md is not the file that was exported" in found["detector bass"]["found"]


def test_words_are_aligned(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok    python")
    assert len(lines) == 9


@pytest.mark.parametrize(
    ("cpuinfo", "state", "words"),
    [
        ("Features\t: fp asimd evtstrm crc32 cpuid asimddp\n", "ok", "int8 by asimddp"),
        ("flags\t\t: fpu sse avx2 avx512_vnni\n", "ok", "int8 by avx512_vnni"),
        ("Features\t: fp asimd evtstrm crc32 cpuid\n", "warn", "no fast 8-bit instructions"),
        (None, "ok", "not told here"),
    ],
)
def test_the_processor_is_read_from_the_kernel(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cpuinfo: str | None,
    state: str,
    words: str,
) -> None:
    file = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        file.write_text(cpuinfo)
    monkeypatch.setattr(doctor, "CPUINFO", file)
    found = {one.what: one for one in doctor.examine()}["processor"]
    assert found.state == state
    assert words in found.found


@pytest.mark.parametrize(
    ("version", "machine", "state"),
    [
        ("1.24.4", "aarch64", "warn"),
        ("1.21.0", "aarch64", "warn"),
        ("1.31.1", "aarch64", "ok"),
        ("1.24.4", "x86_64", "ok"),
    ],
)
def test_releases_that_fail_on_arm_are_named_there(
    monkeypatch: pytest.MonkeyPatch, version: str, machine: str, state: str
) -> None:
    monkeypatch.setattr(doctor, "version", lambda _: version)
    monkeypatch.setattr("platform.machine", lambda: machine)
    found = {one.what: one for one in doctor.examine()}
    assert found["onnxruntime"].state == state
    assert found["numpy"].state == "ok"


def test_a_missing_package_is_bad_news() -> None:
    found = doctor._package("no-such-package-here", arm=False)
    assert (found.state, found.found) == ("bad", "is missing: pip install no-such-package-here")


def test_models_are_listed_and_the_default_is_marked(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models"]) == 0
    alto, bass = capsys.readouterr().out.splitlines()
    assert alto == "alto  0.1.0  finds synthetic, as fp32 and int8   (the default)"
    assert bass == "bass  0.1.0  finds synthetic, as fp32 and int8"
    assert run(["models", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["default"]) for row in rows] == [("alto", True), ("bass", False)]


def test_no_models_at_all_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundles, "SHIPPED", tmp_path)
    assert run(["models"]) == 0
    assert "none came with this installation" in capsys.readouterr().out
