import sys
from pathlib import Path

import pytest

from earlet_train import repair_torchaudio


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package called torchaudio that loads a shared library on import, as the real one does."""
    package = tmp_path / "torchaudio"
    (package / "lib").mkdir(parents=True)
    (package / "lib" / "_torchaudio.so").write_bytes(b"not a library")
    (package / "lib" / "other.so").write_bytes(b"kept")
    (package / "__init__.py").write_text(
        "import ctypes, pathlib\n"
        "extension = pathlib.Path(__file__).parent / 'lib' / '_torchaudio.so'\n"
        "if extension.exists():\n"
        "    ctypes.CDLL(str(extension))\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    return package


def test_an_extension_that_cannot_load_is_removed(package: Path) -> None:
    assert repair_torchaudio.import_error() is not None
    assert "removed _torchaudio.so" in repair_torchaudio.repair()
    assert [file.name for file in (package / "lib").iterdir()] == ["other.so"]
    assert repair_torchaudio.import_error() is None


def test_nothing_is_touched_where_it_imports(package: Path) -> None:
    (package / "__init__.py").write_text("")
    assert "nothing to repair" in repair_torchaudio.repair()
    assert (package / "lib" / "_torchaudio.so").exists()


def test_another_error_is_reported_and_nothing_removed(
    package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (package / "__init__.py").write_text("import a_module_that_is_not_there\n")
    assert repair_torchaudio.main() == 1
    assert "a_module_that_is_not_there" in capsys.readouterr().err
    assert (package / "lib" / "_torchaudio.so").exists()
