"""`earlet bench` from end to end, as a user runs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earlet.cli import run as earlet
from earlet_bench.results import read_rows

QUICK = ("--rounds", "5")


def test_the_rows_are_printed_as_json_and_kept(
    exported: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "results"
    code = earlet(["bench", str(exported), *QUICK, "--json", "--results", str(kept)])
    out, err = capfd.readouterr()
    assert code == 0
    printed = json.loads(out)["rows"]
    assert [row["precision"] for row in printed] == ["fp32", "int8"]
    (file,) = kept.glob("*.json")
    assert json.loads(file.read_text())["rows"] == printed
    assert f"written: {file}" in err
    assert earlet(["bench", str(exported), *QUICK, "--results", str(kept)]) == 0
    assert len(read_rows(file)) == 4


def test_two_bundles_stand_one_under_another_with_error_rates(
    exported: Path, bundle: Path, corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = earlet(
        [
            *("bench", str(exported), str(bundle), "--data", str(corpus), "--limit", "12"),
            *(*QUICK, "--no-save", "--attacks", "--sweep"),
        ]
    )
    out, _ = capfd.readouterr()
    assert code == 0
    assert out.count("small 0.1.0 (") >= 2
    assert "12 (drawn with seed 0) of 36 eval trials of tiny" in out.replace("\n  ", " ")
    assert "A08" in out
    assert "on this board, small 0.1.0" in out


@pytest.mark.usefixtures("installed_original")
def test_the_original_is_a_line_of_the_table(
    exported: Path, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "latency.png"
    code = earlet(
        [
            *("bench", str(exported), "--original", str(run), "--picture", str(picture)),
            *(*QUICK, "--no-save", "--markdown"),
        ]
    )
    out, _ = capfd.readouterr()
    assert code == 0
    assert "| torch |" in out
    assert "of torch" in out
    assert picture.stat().st_size > 5_000


def test_a_failed_replay_is_exit_code_1_and_its_rows_are_kept(
    lying_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "results"
    code = earlet(["bench", str(lying_bundle), *QUICK, "--results", str(kept)])
    out, err = capfd.readouterr()
    assert code == 1
    assert "GOLDEN REPLAY FAILED" in out
    assert "the golden replay failed for small fp32, small int8" in err
    (file,) = kept.glob("*.json")
    assert [row.parity.passed for row in read_rows(file)] == [False, False]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere"], 4, "there is no bundle"),
        (["LONE"], 4, "stands alone"),
        (["BUNDLE", "--limit", "5"], 2, "give the corpus with --data"),
        (["BUNDLE", "--data", "nowhere"], 2, "there is no folder"),
        (["BUNDLE", "--picture", "nowhere/p.png"], 2, "there is no folder nowhere"),
        (["BUNDLE", "--rounds", "0"], 2, "rounds"),
        ([], 2, "BUNDLE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_usage_says_what_to_do(
    arguments: list[str],
    code: int,
    words: str,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"BUNDLE": str(exported), "LONE": str(exported / "int8.onnx")}
    found = earlet(["bench", *(places.get(a, a) for a in arguments)])
    _, err = capfd.readouterr()
    assert found == code
    assert words in err
    assert not list(tmp_path.rglob("*.json")), "nothing is kept of a measurement that was refused"


def test_bad_recordings_are_refused_before_measuring_and_left_out_only_as_asked(
    exported: Path, corpus: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(corpus, tmp_path / "tiny"))
    gone, short, *_ = sorted((copy / "tiny_eval" / "flac").iterdir())
    gone.unlink()
    soundfile.write(short, np.zeros(700), 8_000)
    kept = tmp_path / "results"
    arguments = ["bench", str(exported), "--data", str(copy), *QUICK, "--results", str(kept)]
    assert earlet(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "2 of 36 recordings cannot be used" in err
    assert f"{gone} is missing" in err
    assert f"{short} has 700 samples, expected at least 800" in err
    assert not list(kept.glob("*.json"))
    assert earlet([*arguments, "--skip-bad"]) == 0
    out, err = capfd.readouterr()
    assert "left out 2 of 36" in err
    assert "on 34 of 36 eval trials of tiny, 2 that cannot be used left out" in out.replace(
        "\n  ", " "
    )
    (file,) = kept.glob("*.json")
    accuracies = [row.accuracy for row in read_rows(file)]
    assert [(a.trials, a.left_out) for a in accuracies if a is not None] == [(34, 2)] * 2


def test_a_machine_with_the_base_install_alone_can_run_it(exported: Path, corpus: Path) -> None:
    """No torch, no onnx, no plots: what a wheel brings with its own dependencies."""
    program = (
        "import sys\n"
        "banned = ('torch', 'torchaudio', 'onnx', 'onnxscript', 'matplotlib', 'scipy', 'sklearn')\n"
        "sys.modules.update(dict.fromkeys(banned))\n"
        "from earlet.cli import run\n"
        "code = run(sys.argv[1:])\n"
        "assert not [m for m in sys.modules if m.startswith(('earlet_train', 'earlet_export'))]\n"
        "sys.exit(code)\n"
    )
    arguments = ["bench", str(exported), "--data", str(corpus), *QUICK, "--no-save"]
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert ended.returncode == 0, ended.stderr
    assert "EER known %" in ended.stdout
