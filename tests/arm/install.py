"""Fetches what `make arm` needs into one folder: emulators, an Arm Debian with Python, its wheels.

No root, no chroot and no package of the system is touched: apt-get gets lists of its own for the
other architecture, `dpkg -x` unpacks beside, pip takes the wheels of the other platform. A part
that is there is not fetched again; an interrupted call loses the part under way.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from arm.machines import MACHINES, Place

from earlet.errors import EarletError

REPOSITORY = Path(__file__).parents[2]
# Debian's Python and the C++ library that onnxruntime's wheel takes from the system.
DEBIAN = ("python3", "libstdc++6")
# Newest first; pip takes any wheel that fits one of them.
PLATFORMS = (
    *(f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)),
    "manylinux2014_aarch64",
)


class InstallError(EarletError):
    """A part could not be fetched, and why; exit code 3, as for other missing parts."""

    exit_code = 3


def install(place: Place, *, say: Callable[[str], None]) -> None:
    """Fetch whatever is not there yet. Raises InstallError."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise InstallError(
                f"{tool} was not found: INSTALL=1 works on Debian and its kin. Elsewhere install "
                "qemu-user yourself (the comparison with Haswell needs nothing else)."
            )
    place.folder.mkdir(parents=True, exist_ok=True)
    emulators = {machine.emulator for machine in MACHINES}
    if any(place.emulator(name) is None for name in emulators):
        say("fetching qemu (60 MB)")
        _whole(place.qemu, lambda folder: _qemu(place, folder))
    if place.python() is None:
        say("fetching Python for 64-bit Arm (16 MB)")
        _whole(place.root, lambda folder: _debian(place, folder))
    if not place.site.is_dir():
        say("fetching numpy and onnxruntime for 64-bit Arm (40 MB)")
        _whole(place.site, lambda folder: _wheels(place, folder))


def requirements() -> list[str]:
    """What the runtime needs, as pyproject.toml says."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    needs: list[str] = project["project"]["dependencies"]
    return needs


def _whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a neighbour and give it the folder's name, so that a folder is always whole."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        fill(beside)
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _qemu(place: Place, folder: Path) -> None:
    native = _said(["dpkg", "--print-architecture"])
    _apt_unpacked(place, folder, architecture=native, packages=["qemu-user-static"])


def _debian(place: Place, folder: Path) -> None:
    _apt_unpacked(place, folder, architecture="arm64", packages=DEBIAN)


def _apt_unpacked(
    place: Place, folder: Path, *, architecture: str, packages: Sequence[str]
) -> None:
    """Packages and, but for the machine's own, all they depend on, unpacked into `folder`."""
    state = (place.folder / "apt" / architecture).absolute()
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    # An empty list of installed packages: so that apt counts nothing as being there.
    (state / "status").touch()
    options = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::State": str(state),
        "Dir::State::lists": str(state / "lists"),
        "Dir::State::status": str(state / "status"),
        "Dir::Cache": str(state),
        "Dir::Cache::archives": str(state / "archives"),
    }
    apt = ["apt-get", "-q", "-y"]
    apt += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    _said([*apt, "update"])
    # What an earlier call left of versions that are gone.
    _said([*apt, "autoclean"])
    _said([*apt, "--download-only", "install", *packages])
    for file in sorted((state / "archives").glob("*.deb")):
        _said(["dpkg", "-x", str(file), str(folder)])


def _wheels(place: Place, folder: Path) -> None:
    python = place.python()
    assert python is not None, "the Debian comes first"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-compile", "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", python.name.removeprefix("python"), "--target", str(folder)]
    command += ["--constraint", str(REPOSITORY / "constraints.txt")]
    command += [word for platform in PLATFORMS for word in ("--platform", platform)]
    _said([*command, *requirements()])


def _said(command: Sequence[str]) -> str:
    """What a command printed. Raises InstallError with its own reason."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reasons = [line for line in lines if line.startswith(("E:", "ERROR"))] or lines
        raise InstallError(
            f"{command[0]} did not give what was asked: {(reasons or ['no reason given'])[-1]}"
        )
    return done.stdout.strip()
