"""The comparison as a table for a terminal, and as a page of Markdown."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from arm.compare import Row
from arm.machines import Machine

HEAD = (
    "bundle",
    "machine",
    "graph",
    "max |Δlogit|",
    "model alone",
    "features: max |Δ|",
    "on another step",
    "verify",
)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One bundle on one machine. `verified`: what `earlet verify` said there, None if it failed."""

    bundle: str
    machine: str
    rows: tuple[Row, ...]
    verified: bool

    def broken(self) -> list[str]:
        """A sentence for whatever is not as it must be."""
        sentences = [f"{self.bundle}: {words}" for row in self.rows for words in row.broken()]
        if not self.verified:
            sentences.append(f"{self.bundle}: earlet verify fails on {self.machine}")
        return sentences


def lines(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """One line a graph and machine, in the order of `HEAD`."""
    return [
        (
            one.bundle,
            one.machine,
            row.precision,
            _number(row.logits),
            _number(row.model),
            _number(row.features),
            _moved(row),
            "passes" if one.verified else "FAILS",
        )
        for one in compared
        for row in one.rows
    ]


def page(
    compared: Sequence[Compared], *, machines: Sequence[Machine], versions: str, in_float: str
) -> str:
    """Markdown. `versions`: of the emulators and Pythons; `in_float`: a sentence on layers."""
    rule = "|" + "---|" * len(HEAD)
    head = "| " + " | ".join(name.replace("|", "\\|") for name in HEAD) + " |"
    body = ["| " + " | ".join(line) + " |" for line in lines(compared)]
    home = platform.machine()
    names = "; ".join(f"{machine.name}: {machine.what}" for machine in machines)
    parts = [
        "# The same file on other processors",
        "Written by `make arm`; not edited by hand. earlet's own runtime, with onnxruntime "
        f"{version('onnxruntime')} and numpy {version('numpy')}, on the golden signals of each "
        f"bundle: emulated machines against this one ({home}, not emulated). Emulated with qemu's "
        "user mode, which computes what the processor would and says nothing of its speed: there "
        "are no times here.",
        f"Machines. {names}. {versions}",
        "\n".join([head, rule, *body]),
        "max |Δlogit|: end to end, waveform to logits. Model alone: the part of the graph behind "
        "the frontend, fed on every machine with the features that this one heard; for int8 it "
        "must be 0, to the bit. The frontend computes in float, whose last digit is each "
        "processor's own; on another step: how many features were rounded to another integer than "
        "here, of how many, how many steps away at most. int8 logits may differ end to end only "
        "where the model here, fed with the features from there, gives the very bits of there. "
        "Anything else makes `make arm` fail, and stands below.",
    ]
    if in_float:
        parts.append(in_float)
    broken = [f"- {words}" for one in compared for words in one.broken()]
    parts += ["## Not as promised", "\n".join(broken)] if broken else ["All is as promised."]
    return "\n\n".join(parts) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return "0" if value == 0 else f"{value:.2g}"


def _moved(row: Row) -> str:
    if row.moved is None or row.values is None:
        return "-"
    if row.moved == 0:
        return f"0 of {row.values:,}"
    return f"{row.moved:,} of {row.values:,}, by {row.furthest}"
