"""`earlet doctor`: whether this machine can run detectors, and what to mend where it cannot."""

import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import typer

from earlet.errors import EarletError

SCHEMA = "earlet.doctor/1"
CPUINFO = Path("/proc/cpuinfo")

# Instructions that multiply 8-bit integers fast, as the kernel names them: x86 VNNI, ARM dot
# product and its matrix forms. Without one of them int8 still is smaller, but hardly faster.
_INT8_FEATURES = ("avx512_vnni", "avx_vnni", "asimddp", "i8mm", "svei8mm")

# onnxruntime releases known to fail on ARM boards: the version's beginning -> what happens.
_BAD_ON_ARM = {
    "1.21.0": "it stops with 'illegal instruction' on a Raspberry Pi 4",
    "1.24.": "its convolutions leak memory on ARM",
    "1.25.": "its convolutions leak memory on ARM",
    "1.26.": "its convolutions leak memory on ARM",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `warn` works but could be better; `bad` must be mended."""

    what: str
    state: Literal["ok", "warn", "bad"]
    found: str


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")
    ] = False,
) -> None:
    """Check whether this machine can run detectors.

    Exit code 1 where something must be mended. Add the output to a report of a fault.

    \b
    Example:
        earlet doctor
    """  # noqa: D301
    findings = list(examine())
    if as_json:
        record = {"schema": SCHEMA, "findings": [asdict(one) for one in findings]}
        typer.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        width = max(len(one.what) for one in findings)
        for one in findings:
            typer.echo(f"{one.state:<4}  {one.what:<{width}}  {one.found}")
    if any(one.state == "bad" for one in findings):
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """Look at Python, the packages, the processor and the shipped detectors, in that order."""
    arm = platform.machine() in ("aarch64", "arm64", "armv7l")
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(what="python", state="ok", found=f"{python} on {platform.machine()}")
    for package in ("earlet", "numpy", "onnxruntime", "soundfile"):
        yield _package(package, arm=arm)
    yield _sound_formats()
    yield _processor(_cpu_flags())
    yield from _detectors()


def _package(name: str, *, arm: bool) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(what=name, state="bad", found=f"is missing: pip install {name}")
    trouble = [why for start, why in _BAD_ON_ARM.items() if found.startswith(start)]
    if name == "onnxruntime" and arm and trouble:
        return Finding(
            what=name,
            state="warn",
            found=f"{found}: {trouble[0]}. Better: pip install 'onnxruntime>=1.27'",
        )
    return Finding(what=name, state="ok", found=found)


def _sound_formats() -> Finding:
    from earlet.audio import formats

    try:
        names = formats()
    except EarletError as error:
        return Finding(what="sound files", state="bad", found=str(error))
    common = [name for name in ("WAV", "FLAC", "OGG", "MP3") if name in names]
    return Finding(
        what="sound files",
        state="ok",
        found=f"{', '.join(common)} and {len(names) - len(common)} others",
    )


def _processor(flags: frozenset[str]) -> Finding:
    cores = f"{os.cpu_count()} cores"
    if not flags:
        return Finding(
            what="processor", state="ok", found=f"{cores}; what it can do is not told here"
        )
    fast = [name for name in _INT8_FEATURES if name in flags]
    if fast:
        return Finding(what="processor", state="ok", found=f"{cores}; int8 by {', '.join(fast)}")
    return Finding(
        what="processor",
        state="warn",
        found=f"{cores}; no fast 8-bit instructions: let earlet bench choose between int8 and fp32",
    )


def _cpu_flags() -> frozenset[str]:
    """Names of what the processor can do, as the kernel tells; empty where it does not."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = [line.partition(":")[2].split() for line in lines if line[:5] in ("flags", "Featu")]
    return frozenset().union(*flags)


def _detectors() -> Iterator[Finding]:
    """Each shipped detector, every graph replayed here."""
    from earlet.bundle import find, shipped
    from earlet.replay import replay

    for name in shipped():
        try:
            bundle = find(name)
            bundle.check_files()
            replays = [replay(bundle, precision) for precision in bundle.precisions]
        except EarletError as error:
            yield Finding(what=f"detector {name}", state="bad", found=str(error))
            continue
        told = ", ".join(f"{one.precision} within {one.max_abs_logit:.2g}" for one in replays)
        yield Finding(
            what=f"detector {name}",
            state="ok" if all(one.ok for one in replays) else "bad",
            found=f"{told} of its original",
        )
