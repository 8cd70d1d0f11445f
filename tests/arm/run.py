"""`make arm`: the same bundles on emulated processors, as a table and a page.

Run as `PYTHONPATH=tests python -m arm.run [--bundle FOLDER ...] [--install]`. Exit codes: 0 as
promised, 1 an int8 graph answers otherwise or `earlet verify` fails there, 3 nothing
could be run. Machines whose parts are missing are skipped, and named; the page is then left alone.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from arm.compare import INT8, Floats, Row, compare, floats
from arm.cut import Step, float_layers, model_alone, step_of
from arm.install import install
from arm.machines import MACHINES, Machine, Place, command, environment
from arm.page import HEAD, Compared, lines, page
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from earlet.bundle import Bundle, find
from earlet.errors import EarletError
from earlet.golden import signals
from earlet.hearing import FEATURES, with_features
from earlet.session import INPUT, OUTPUT, open_graph
from earlet_train.atomic import write_beside

ANSWERS = Path(__file__).with_name("answers.py")
VERIFY = "import typer; from earlet.commands.verify import verify; typer.run(verify)"
LIMIT_S = 3600

Answers = Mapping[str, NDArray[np.generic]]


def main(
    bundle: Annotated[
        list[str] | None, typer.Option(help="Bundle folder or shipped name [default: the shipped].")
    ] = None,
    machine: Annotated[
        list[str] | None, typer.Option(help="Only these: haswell, cortex-a72, cortex-a76, max.")
    ] = None,
    place: Annotated[Path, typer.Option(help="Where the emulated parts lie.")] = Path("build/arm"),
    install_missing: Annotated[
        bool, typer.Option("--install", help="Fetch what is missing into that folder.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path(
        "benchmarks/results/arm.md"
    ),
) -> None:
    """Compare what bundles answer on emulated machines with what they answer here."""
    errors, console = Console(stderr=True), Console(width=120)
    parts = Place(folder=place)
    machines = _chosen(machine)
    try:
        if install_missing:
            install(parts, say=lambda words: errors.print(words))
        lacking = sorted({lack for one in machines for lack in parts.missing(one)})
        runnable = [one for one in machines if not parts.missing(one)]
        if lacking:
            skipped = ", ".join(one.name for one in machines if one not in runnable)
            errors.print(
                f"skipped: {skipped} ({', '.join(lacking)} not found). `make arm INSTALL=1` "
                "fetches what is missing into build/arm (no root needed; 120 MB once).",
                soft_wrap=True,
            )
            if not runnable:
                raise typer.Exit(3)
        opened = [find(name) for name in bundle] if bundle else [find(None)]
        compared: list[Compared] = []
        in_float: list[str] = []
        for each in opened:
            found, layers = across(each, runnable, parts, say=lambda words: errors.print(words))
            compared += found
            in_float += layers
    except EarletError as error:
        errors.print(str(error), soft_wrap=True)
        raise typer.Exit(error.exit_code) from None
    table = Table(box=box.SIMPLE_HEAD)
    for name in HEAD:
        table.add_column(name)
    for line in lines(compared):
        table.add_row(*line)
    console.print(table)
    broken = [words for row in compared for words in row.broken()]
    for words in (*in_float, *(f"broken: {words}" for words in broken)):
        errors.print(words, soft_wrap=True)
    # A page with fewer machines would read as if there were no others.
    if not lacking:
        text = page(
            compared,
            machines=machines,
            versions=_versions(parts, machines),
            in_float=" ".join(in_float),
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        write_beside(out, lambda path: path.write_text(text, encoding="utf-8"))
    raise typer.Exit(1 if broken else 0)


def across(
    bundle: Bundle, machines: Sequence[Machine], place: Place, *, say: Callable[[str], None]
) -> tuple[list[Compared], list[str]]:
    """One bundle here and on each machine -> rows, and sentences on layers left in float."""
    name = bundle.manifest.name
    with tempfile.TemporaryDirectory(prefix="earlet-arm-") as folder:
        material = Path(folder)
        steps, layers = _prepare(bundle, material)
        home = _answers(None, bundle, place, material)
        compared = []
        for machine in machines:
            say(f"{name} on {machine.name}, emulated")
            there = _answers(machine, bundle, place, material)
            rows = tuple(
                _row(machine, precision, home, there, steps.get(precision), material)
                for precision in bundle.precisions
            )
            verified = _verified(machine, bundle, place)
            compared.append(
                Compared(bundle=name, machine=machine.name, rows=rows, verified=verified)
            )
    return compared, layers


def _prepare(bundle: Bundle, material: Path) -> tuple[dict[str, Step], list[str]]:
    """Write each model alone and the features that this machine hears; -> roundings, sentences."""
    manifest = bundle.manifest
    waves = signals(window=manifest.window, sample_rate_hz=manifest.sample_rate_hz)
    steps, layers = {}, []
    for precision in bundle.precisions:
        data, _ = bundle.graph(precision)
        graph = onnx.load_model_from_string(data)
        if model_alone(graph, shape=()) is None:
            continue
        frontend = open_graph(with_features(data), source=precision, threads=1)
        heard = np.concatenate(
            [frontend.run([FEATURES], {INPUT: wave[None]})[0] for wave in waves.values()]
        )
        cut = model_alone(graph, shape=heard.shape[1:])
        assert cut is not None
        (material / f"{precision}.onnx").write_bytes(cut.SerializeToString())
        np.save(material / f"{precision}.npy", heard)
        step = step_of(graph)
        if step is not None:
            steps[precision] = step
        if precision == INT8 and (found := float_layers(cut)):
            layers.append(f"Left in float in {manifest.name}'s int8 graph: {', '.join(found)}.")
    return steps, layers


def _answers(machine: Machine | None, bundle: Bundle, place: Place, material: Path) -> Answers:
    """Run answers.py there. Raises EarletError with the last words of what failed."""
    out = material / f"{machine.cpu if machine else 'home'}.npz"
    words = [str(ANSWERS), str(bundle.path.absolute()), str(material), str(out)]
    done = _run(machine, place, words)
    if done.returncode or not out.is_file():
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no word"]
        raise EarletError(
            f"{bundle.manifest.name} could not be run on {machine.name if machine else 'this'}: "
            f"exit status {done.returncode}, {lines[-1]}"
        )
    with np.load(out, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _row(
    machine: Machine,
    precision: str,
    home: Answers,
    there: Answers,
    step: Step | None,
    material: Path,
) -> Row:
    cut = material / f"{precision}.onnx"
    if not cut.is_file():
        return compare(
            machine.name, precision, home=home, there=there, step=step, model_at_home=None
        )
    model = open_graph(cut.read_bytes(), source=cut.name, threads=1)

    def at_home(features: Floats) -> Floats:
        answers = [model.run([OUTPUT], {FEATURES: one[None]})[0] for one in features]
        return floats({"": np.concatenate(answers)}, "")

    return compare(
        machine.name, precision, home=home, there=there, step=step, model_at_home=at_home
    )


def _verified(machine: Machine, bundle: Bundle, place: Place) -> bool:
    """Whether `earlet verify` passes there; a lone file has no golden answers to hold it to."""
    words = ["-c", VERIFY, str(bundle.path.absolute()), "--json"]
    done = _run(machine, place, words)
    return done.returncode == 0 and json.loads(done.stdout)["ok"] is True


def _run(
    machine: Machine | None, place: Place, words: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(machine, place, words),
        env=environment(machine, place),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )


def _chosen(names: Sequence[str] | None) -> list[Machine]:
    known = {machine.cpu.lower(): machine for machine in MACHINES}
    unknown = [name for name in names or [] if name.lower() not in known]
    if unknown:
        raise typer.BadParameter(f"no machine is called {unknown[0]!r}: {', '.join(known)}.")
    return [known[name.lower()] for name in names] if names else list(MACHINES)


def _versions(place: Place, machines: Sequence[Machine]) -> str:
    """Which emulators, and which Python on which."""
    said = []
    for name in sorted({machine.emulator for machine in machines}):
        done = subprocess.run(
            [str(place.emulator(name)), "--version"], capture_output=True, text=True, check=True
        )
        found = re.search(r"version (\S+)", done.stdout)
        said.append(f"{name} {found.group(1) if found else 'of an unknown version'}")
    python = place.python()
    arm = f"; Debian's {python.name} on Arm" if python else ""
    return f"With {', '.join(said)}{arm}."


if __name__ == "__main__":
    typer.run(main)
