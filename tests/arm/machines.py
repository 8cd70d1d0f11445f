"""The machines that are emulated: how a Python is started on each, and what each says of itself.

qemu's user mode runs one process: instructions are translated, files and the clock are the host's.
So numbers are those of the machine named, and times are not.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import earlet

RUNTIME = Path(earlet.__file__).parents[1]
CORES = 4


@dataclass(frozen=True, kw_only=True)
class Core:
    """What /proc/cpuinfo says on an Arm core.

    onnxruntime chooses kernels by this file: one that promises more than qemu's `-cpu` can do ends
    in an illegal instruction, and the host's own file, of another architecture, in a crash.
    """

    part: str
    variant: str
    revision: int
    features: str

    def cpuinfo(self) -> str:
        """The whole file, the same lines for each of four cores."""
        return "".join(
            f"processor\t: {number}\nBogoMIPS\t: 108.00\nFeatures\t: {self.features}\n"
            f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: {self.variant}\n"
            f"CPU part\t: {self.part}\nCPU revision\t: {self.revision}\n\n"
            for number in range(CORES)
        )


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One processor. `core` None: an x86-64 one, which runs the Python that runs this."""

    name: str
    cpu: str
    what: str
    core: Core | None = None

    @property
    def emulator(self) -> str:
        """The name of its qemu, without `-static`."""
        return "qemu-x86_64" if self.core is None else "qemu-aarch64"


_A76 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp"
)
MACHINES = (
    Machine(name="Haswell", cpu="Haswell", what="x86-64 with AVX2, without VNNI"),
    Machine(
        name="Cortex-A72",
        cpu="cortex-a72",
        what="Raspberry Pi 4: no dot product",
        core=Core(part="0xd08", variant="0x0", revision=3, features="fp asimd evtstrm crc32 cpuid"),
    ),
    Machine(
        name="Cortex-A76",
        cpu="cortex-a76",
        what="Raspberry Pi 5: dot product",
        core=Core(part="0xd0b", variant="0x4", revision=1, features=_A76),
    ),
    Machine(
        name="Arm max",
        cpu="max",
        what="all that qemu knows: dot product, i8mm, bf16, SVE2",
        core=Core(
            part="0xd0b", variant="0x4", revision=1, features=f"{_A76} sve sve2 i8mm bf16 asimdfhm"
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the parts lie: `root` an unpacked arm64 Debian, `site` its wheels, `qemu` emulators."""

    folder: Path

    @property
    def root(self) -> Path:
        """An unpacked Debian of 64-bit Arm with a Python."""
        return self.folder / "root"

    @property
    def site(self) -> Path:
        """numpy, onnxruntime and what else the runtime needs, for that Python."""
        return self.folder / "site"

    @property
    def qemu(self) -> Path:
        """An unpacked package of emulators."""
        return self.folder / "qemu"

    def python(self) -> Path | None:
        """The Arm Python, by its versioned name."""
        found = sorted(self.root.glob("usr/bin/python3.[0-9]*"))
        return found[-1] if found else None

    def emulator(self, name: str) -> Path | None:
        """The installed emulator, else the one fetched here; static or not."""
        for folder in (*map(Path, os.get_exec_path()), self.qemu / "usr" / "bin"):
            for file in (folder / f"{name}-static", folder / name):
                if file.is_file() and os.access(file, os.X_OK):
                    return file.absolute()
        return None

    def missing(self, machine: Machine) -> list[str]:
        """What this machine lacks, in words."""
        lacks = []
        if self.emulator(machine.emulator) is None:
            lacks.append(machine.emulator)
        if machine.core is not None and self.python() is None:
            lacks.append("a Python for 64-bit Arm")
        if machine.core is not None and not (self.site / "onnxruntime").is_dir():
            lacks.append("onnxruntime for 64-bit Arm")
        return lacks


def command(machine: Machine | None, place: Place, arguments: Sequence[str]) -> list[str]:
    """How `python arguments` is run on a machine; None: on this one, without an emulator."""
    if machine is None:
        return [sys.executable, *arguments]
    emulator = place.emulator(machine.emulator)
    assert emulator is not None, "ask `missing` first"
    if machine.core is None:
        return [str(emulator), "-cpu", machine.cpu, sys.executable, *arguments]
    python = place.python()
    assert python is not None, "ask `missing` first"
    prefix = _prefix(machine.core, place, name=machine.cpu)
    return [str(emulator), "-L", str(prefix), "-cpu", machine.cpu, str(python), *arguments]


def environment(machine: Machine | None, place: Place) -> dict[str, str]:
    """The host's, with the runtime to import, one thread, and nothing else of the user's."""
    arm = machine is not None and machine.core is not None
    paths = [place.site.absolute(), RUNTIME] if arm else [RUNTIME]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _prefix(core: Core, place: Place, *, name: str) -> Path:
    """The unpacked Debian as this core sees it: links to it, and a /proc/cpuinfo of its own."""
    prefix = (place.folder / "machines" / name).absolute()
    (prefix / "proc").mkdir(parents=True, exist_ok=True)
    for entry in place.root.absolute().iterdir():
        link = prefix / entry.name
        if entry.name != "proc" and not link.is_symlink():
            link.symlink_to(entry)
    (prefix / "proc" / "cpuinfo").write_text(core.cpuinfo(), encoding="ascii")
    return prefix
