"""The whole build for real: about 100 MB of downloads (kept in the cache), engines that run."""

import hashlib
import json
from pathlib import Path

import pytest

from earlet.cli import run
from earlet.protocol import SPLITS, missing_files, read_protocol

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpora") / "demo"
    assert run(["corpus", "build", "--size", "demo", "--out", str(out)]) == 0
    return out


def test_the_demo_passes_its_own_check(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["corpus", "check", str(demo), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passed"] is True
    trials = [trial for split in SPLITS for trial in read_protocol(demo, split)]
    assert 900 < len(trials) <= 1200


def test_lost_files_are_made_again_bit_by_bit(demo: Path) -> None:
    some = [trial.path for split in SPLITS for trial in read_protocol(demo, split)[::100]]
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in some}
    for path in some:
        path.unlink()
    assert run(["corpus", "build", "--size", "demo", "--out", str(demo), "--jobs", "1"]) == 0
    assert not missing_files(read_protocol(demo, "eval"))
    assert before == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in some}


def test_another_size_in_the_same_folder_is_refused(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["corpus", "build", "--size", "standard", "--out", str(demo)]) == 2
    assert "choose another folder" in capsys.readouterr().err
