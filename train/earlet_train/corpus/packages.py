"""Fetches the pinned packages that a corpus is made of and unpacks them into a cache folder.

No root is needed: `apt-get download` and `dpkg -x` work on folders of our own, and so does `pip
download`. Every file is held against its pinned sha256 before it is unpacked.
"""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from earlet.errors import CorpusError
from earlet_train.corpus.pins import PINS

logger = logging.getLogger(__name__)

Kind = Literal["deb", "wheel"]
OnProgress = Callable[[int, int, str], None]  # bytes done, bytes in all, what is being fetched


@dataclass(frozen=True, kw_only=True)
class Package:
    """One pinned package. `what` says what it holds, `architecture` is `all` or Debian's name."""

    name: str
    kind: Kind
    version: str
    architecture: str
    size_bytes: int
    sha256: str
    licence: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Store:
    """The unpacked packages, `folder / package name / ...`, and why the others are missing."""

    folder: Path
    missing: dict[str, str]

    def has(self, names: Iterable[str]) -> bool:
        """Whether all these packages are unpacked."""
        return all((self.folder / name).is_dir() for name in names)


def _read_pins(table: str) -> dict[str, Package]:
    lines = table.strip().splitlines()
    packages: dict[str, Package] = {}
    for first, second, third in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, version, architecture, size = first.split()
        licence, what = second.strip().split(" | ")
        is_wheel = architecture == "wheel"
        packages[name] = Package(
            name=name,
            kind="wheel" if is_wheel else "deb",
            version=version,
            architecture="all" if is_wheel else architecture,
            size_bytes=int(size),
            sha256=third.strip(),
            licence=licence,
            what=what,
        )
    return packages


PACKAGES: dict[str, Package] = _read_pins(PINS)


def default_cache() -> Path:
    """Where packages are kept unless told otherwise: `earlet` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "earlet"


def fetch(
    names: Iterable[str],
    *,
    cache: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Store:
    """Download, check and unpack what is not unpacked yet. Raises CorpusError on unknown names.

    A package that cannot be had is no error: it is in the store's `missing`, with the reason. An
    interrupted call loses at most the file under way.
    """
    cache = default_cache() if cache is None else cache
    wanted = _known(names)
    store = cache / "unpacked"
    downloads = cache / "downloads"
    store.mkdir(parents=True, exist_ok=True)
    downloads.mkdir(parents=True, exist_ok=True)
    waiting = [p for p in wanted if not _is_unpacked(store, p)]
    missing: dict[str, str] = {}
    total = sum(p.size_bytes for p in waiting)
    done = 0
    apt = _Apt(downloads=downloads, lists=cache / "apt")
    for package in waiting:
        if on_progress:
            on_progress(done, total, package.name)
        reason = _obtain(package, downloads=downloads, apt=apt)
        if reason is None:
            reason = _unpack(package, file=_file_of(downloads, package), store=store)
        if reason is not None:
            missing[package.name] = reason
            logger.warning("left out %s: %s", package.name, reason)
        done += package.size_bytes
    if on_progress:
        on_progress(total, total, "")
    return Store(folder=store, missing=missing)


def _known(names: Iterable[str]) -> list[Package]:
    wanted = sorted(set(names))
    unknown = [name for name in wanted if name not in PACKAGES]
    if unknown:
        raise CorpusError(
            f"no package is pinned under the names {', '.join(unknown)}; "
            "expected names listed in earlet_train/corpus/pins.py: add a row there."
        )
    return [PACKAGES[name] for name in wanted]


def _is_unpacked(store: Path, package: Package) -> bool:
    """Whether this very version is there: the stamp beside the folder holds its hash."""
    stamp = store / f".{package.name}.sha256"
    return (
        (store / package.name).is_dir()
        and stamp.is_file()
        and stamp.read_text(encoding="ascii").strip() == package.sha256
    )


def _file_of(downloads: Path, package: Package) -> Path:
    suffix = "whl" if package.kind == "wheel" else "deb"
    return downloads / f"{package.sha256[:16]}_{package.name}.{suffix}"


def _obtain(package: Package, *, downloads: Path, apt: "_Apt") -> str | None:
    """None when the checked file lies in `downloads`, else why it does not."""
    file = _file_of(downloads, package)
    if file.is_file() and _sha256(file) == package.sha256:
        return None
    file.unlink(missing_ok=True)
    inbox = downloads / f"inbox-{os.getpid()}"
    shutil.rmtree(inbox, ignore_errors=True)
    inbox.mkdir()
    try:
        if package.kind == "wheel":
            reason = _pip_download(package, inbox)
        else:
            reason = apt.download(package, inbox)
        if reason is not None:
            return reason
        found = [f for f in inbox.iterdir() if f.suffix in {".deb", ".whl"}]
        if len(found) != 1:
            return f"the download left {len(found)} files, expected one"
        digest = _sha256(found[0])
        if digest != package.sha256:
            return (
                f"{unquote(found[0].name)} has sha256 {digest[:12]}..., expected "
                f"{package.sha256[:12]}...: refused and deleted"
            )
        found[0].replace(file)
        return None
    finally:
        shutil.rmtree(inbox, ignore_errors=True)


class _Apt:
    """`apt-get download` with the system's package lists, or with lists of our own."""

    def __init__(self, *, downloads: Path, lists: Path) -> None:
        self._downloads = downloads
        self._lists = lists.resolve()
        self._options: list[str] = []
        self._has_refreshed = False

    def download(self, package: Package, folder: Path) -> str | None:
        """Into `folder`; None or the reason why not."""
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            return "this machine has no apt-get and dpkg (Debian 12 has them)"
        machine = _run(["dpkg", "--print-architecture"]).stdout.strip()
        if package.architecture not in {"all", machine}:
            return f"pinned for {package.architecture}, this machine is {machine}"
        wanted = f"{package.name}={package.version}"
        result = _run(["apt-get", *self._options, "-q", "download", wanted], cwd=folder)
        if result.returncode != 0 and not self._has_refreshed:
            self._refresh()
            result = _run(["apt-get", *self._options, "-q", "download", wanted], cwd=folder)
        if result.returncode == 0:
            return None
        return f"apt-get has no {wanted} ({_last_line(result.stderr)})"

    def _refresh(self) -> None:
        """Fresh package lists in a folder of our own: the system's need root, and may be empty."""
        self._has_refreshed = True
        for folder in ("lists/partial", "archives/partial"):
            (self._lists / folder).mkdir(parents=True, exist_ok=True)
        options = [
            *("-o", f"Dir::State::lists={self._lists / 'lists'}"),
            *("-o", f"Dir::Cache={self._lists}"),
            *("-o", f"Dir::Cache::archives={self._lists / 'archives'}"),
        ]
        logger.info("reading the package lists into %s", self._lists)
        result = _run(["apt-get", *options, "-q", "update"])
        if result.returncode == 0:
            self._options = options
        else:
            logger.warning("apt-get update failed: %s", _last_line(result.stderr))


def _pip_download(package: Package, folder: Path) -> str | None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)]
    result = _run([*command, f"{package.name}=={package.version}"])
    if result.returncode == 0:
        return None
    return f"pip has no {package.name}=={package.version} ({_last_line(result.stderr)})"


def _unpack(package: Package, *, file: Path, store: Path) -> str | None:
    """Unpacks beside and renames, so that a folder in the store is always whole."""
    beside = store / f".{package.name}.{os.getpid()}.part"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        if package.kind == "wheel":
            with zipfile.ZipFile(file) as archive:
                archive.extractall(beside)
        else:
            result = _run(["dpkg", "-x", str(file), str(beside)])
            if result.returncode != 0:
                return f"dpkg could not unpack it ({_last_line(result.stderr)})"
        final = store / package.name
        if final.exists():
            shutil.rmtree(final)
        beside.rename(final)
        stamp = store / f".{package.name}.sha256"
        stamp.write_text(package.sha256 + "\n", encoding="ascii")
        return None
    except (OSError, zipfile.BadZipFile) as error:
        return f"could not be unpacked ({error})"
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _run(command: list[str], *, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "ERROR"))]
    return (errors or lines or ["no message"])[-1]


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
