import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from earlet.errors import BundleError, UsageError
from earlet.write import refuse_existing, write_bundle

FILES = {"manifest.json": b"{}\n", "fp32.onnx": bytes(200_000)}


def accept(_: Path) -> None:
    """Finds nothing wrong."""


def test_the_folder_holds_exactly_the_files(tmp_path: Path) -> None:
    write_bundle(tmp_path / "made" / "b", FILES, check=accept)
    found = {file.name: file.read_bytes() for file in (tmp_path / "made" / "b").iterdir()}
    assert found == FILES
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["b"]


def test_the_check_sees_the_whole_folder_before_it_has_its_name(tmp_path: Path) -> None:
    seen: list[tuple[set[str], bool]] = []

    def look(folder: Path) -> None:
        seen.append(({file.name for file in folder.iterdir()}, (tmp_path / "b").exists()))

    write_bundle(tmp_path / "b", FILES, check=look)
    assert seen == [(set(FILES), False)]


def test_a_failed_check_leaves_nothing_behind(tmp_path: Path) -> None:
    def reject(_: Path) -> None:
        raise BundleError("no")

    with pytest.raises(BundleError, match="no"):
        write_bundle(tmp_path / "b", FILES, check=reject)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_bundle_is_kept_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "b"
    write_bundle(out, {"manifest.json": b"old"}, check=accept)
    with pytest.raises(UsageError, match=r"exists already.*--force"):
        write_bundle(out, FILES, check=accept)
    assert (out / "manifest.json").read_bytes() == b"old"
    write_bundle(out, FILES, replace=True, check=accept)
    assert {file.name for file in out.iterdir()} == set(FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_replacing_keeps_the_old_bundle_where_the_new_one_fails(tmp_path: Path) -> None:
    out = tmp_path / "b"
    write_bundle(out, {"manifest.json": b"old"}, check=accept)

    def reject(_: Path) -> None:
        raise BundleError("no")

    with pytest.raises(BundleError):
        write_bundle(out, FILES, replace=True, check=reject)
    assert (out / "manifest.json").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_force_does_not_replace_a_folder_that_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="is not a bundle"):
        refuse_existing(tmp_path, replace=True)


def test_a_folder_that_cannot_be_made_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"was not written: .*file is no folder.*Nothing was left"):
        write_bundle(tmp_path / "file" / "b", FILES, check=accept)


def test_a_disk_that_does_not_take_the_files_is_left_clean(tmp_path: Path) -> None:
    # The kernel refuses in the middle of the second file, as a full disk does (RLIMIT_FSIZE is
    # per process, hence a process of its own).
    program = f"""
from pathlib import Path
from earlet.errors import UsageError
from earlet.write import write_bundle
out = Path({str(tmp_path / "b")!r})
try:
    write_bundle(out, {{"a": bytes(1000), "b": bytes(200_000)}}, check=print)
except UsageError as error:
    print(error)
"""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limit,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "there is no room for it (0.2 MB are needed). Nothing was left." in done.stdout
    assert list(tmp_path.iterdir()) == []
