from pathlib import Path

import pytest

from earlet.cli import run


def test_an_unknown_size_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["corpus", "build", "--size", "huge", "--out", str(tmp_path / "corpus")])
    assert code == 2
    assert "demo" in capsys.readouterr().err
    assert not (tmp_path / "corpus").exists()


def test_checking_a_folder_that_is_not_there_says_how_to_build_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["corpus", "check", str(tmp_path / "nowhere")])
    assert code == 2
    message = capsys.readouterr().err
    assert message.startswith("earlet: ")
    assert "earlet corpus build" in message


def test_a_corpus_with_a_missing_file_is_named(
    tone_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copy = Path(shutil.copytree(tone_corpus, tmp_path / "copy"))
    lost = next(copy.glob("tiny_eval/flac/*.flac"))
    lost.unlink()
    code = run(["corpus", "check", str(copy), "--jobs", "1"])
    assert code == 2
    assert lost.name in capsys.readouterr().err
