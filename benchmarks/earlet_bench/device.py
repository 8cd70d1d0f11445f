"""Says which machine a measurement was made on: all that explains its speed, nothing that names it.

Never the host's name, a user's name or a path: result files are meant to be shared.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# What decides the speed of the kernels: vector width, int8 dot products, half floats.
_TELLING = (
    *("avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),
    *("neon", "asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2", "sme", "atomics"),
)


@dataclass(frozen=True, kw_only=True)
class Device:
    """One machine at the moment of a measurement; None where it does not tell.

    `cores`: that this process may use, of `cores_present`. `throttled`: the firmware's words on
    a Raspberry Pi (`vcgencmd get_throttled`), empty when it has nothing to complain about.
    `load_average_1min`: processes that wanted a core when the measurement began; well above zero
    means that others ran beside it, and then only ratios of one run mean anything.
    """

    machine: str
    board: str | None
    cpu: str
    cores: int
    cores_present: int
    features: tuple[str, ...]
    governor: str | None
    clock_max_mhz: float | None
    temperature_celsius: float | None
    throttled: tuple[str, ...] | None
    memory_bytes: int | None
    load_average_1min: float | None
    os: str
    kernel: str
    python: str
    numpy: str
    onnxruntime: str
    earlet: str

    @property
    def slug(self) -> str:
        """File name of this kind of machine: lower case, hyphens, the same on every such board."""
        named = self.board or f"{self.machine} {self.cpu} {self.cores} cores"
        return re.sub(r"[^a-z0-9]+", "-", named.lower()).strip("-")

    @property
    def title(self) -> str:
        """One line for people: board or processor, cores, what its int8 kernels can use."""
        of = "" if self.cores == self.cores_present else f" of {self.cores_present}"
        parts = [self.board or self.cpu, f"{self.cores}{of} cores"]
        int8_kernels = ("avx512_vnni", "avx_vnni", "i8mm", "asimddp")
        parts += [name for name in int8_kernels if name in self.features][:1]
        return ", ".join(parts)


def this_device() -> Device:
    """-> what this machine says about itself now."""
    facts = _pairs(Path("/proc/cpuinfo"))
    present = os.cpu_count() or 1
    return Device(
        machine=platform.machine(),
        board=_board(),
        cpu=_cpu_name(facts),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else present,
        cores_present=present,
        features=_features(facts),
        governor=_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        clock_max_mhz=_scaled(Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")),
        temperature_celsius=_scaled(Path("/sys/class/thermal/thermal_zone0/temp")),
        throttled=_throttled(),
        memory_bytes=_memory_bytes(),
        load_average_1min=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        os=_os_name(),
        kernel=f"{platform.system()} {_number(platform.release())}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=_version("numpy"),
        onnxruntime=_version("onnxruntime"),
        earlet=_version("earlet"),
    )


def throttle_words(flags: int) -> tuple[str, ...]:
    """The bits of `vcgencmd get_throttled` in words (Raspberry Pi documentation, vcgencmd)."""
    meaning = {
        0: "under-voltage now",
        1: "clock capped now",
        2: "throttled now",
        3: "soft temperature limit now",
        16: "under-voltage since boot",
        17: "clock capped since boot",
        18: "throttled since boot",
        19: "soft temperature limit since boot",
    }
    return tuple(word for bit, word in meaning.items() if flags >> bit & 1)


def _throttled() -> tuple[str, ...] | None:
    tool = shutil.which("vcgencmd")
    if tool is None:
        return None
    try:
        asked = subprocess.run(
            [tool, "get_throttled"], capture_output=True, text=True, timeout=5, check=True
        )
        return throttle_words(int(asked.stdout.strip().partition("=")[2], 16))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _pairs(file: Path) -> dict[str, str]:
    """`key : value` lines -> the first value of each key."""
    found: dict[str, str] = {}
    for line in (_text(file) or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _board() -> str | None:
    model = _text(Path("/proc/device-tree/model"))
    return model.rstrip("\x00").strip() or None if model else None


def _cpu_name(facts: dict[str, str]) -> str:
    if "model name" in facts:
        return " ".join(facts["model name"].split())
    # Arm kernels give numbers instead of a name; these are the cores of the boards we know.
    known = {
        "0xd03": "Cortex-A53",
        "0xd04": "Cortex-A35",
        "0xd05": "Cortex-A55",
        "0xd07": "Cortex-A57",
        "0xd08": "Cortex-A72",
        "0xd09": "Cortex-A73",
        "0xd0a": "Cortex-A75",
        "0xd0b": "Cortex-A76",
        "0xd0c": "Neoverse-N1",
    }
    part = facts.get("CPU part", "")
    return known.get(part, f"Arm part {part}" if part else platform.machine() or "unknown")


def _features(facts: dict[str, str]) -> tuple[str, ...]:
    listed = set((facts.get("flags") or facts.get("Features") or "").split())
    return tuple(name for name in _TELLING if name in listed)


def _memory_bytes() -> int | None:
    total = _pairs(Path("/proc/meminfo")).get("MemTotal", "").split()
    return int(total[0]) * 1024 if total else None


def _os_name() -> str:
    for line in (_text(Path("/etc/os-release")) or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    return sys.platform


def _number(release: str) -> str:
    """`6.6.31+rpt-rpi-v8` -> `6.6.31`: what follows may name a provider or a person's build."""
    found = re.match(r"\d+(\.\d+)*", release)
    return found.group() if found else "unknown"


def _scaled(file: Path) -> float | None:
    """The kernel's thousandths (kHz, millidegrees) -> MHz, degrees."""
    text = _text(file)
    try:
        return int(text) / 1000 if text else None
    except ValueError:
        return None


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
