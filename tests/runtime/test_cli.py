"""The command line: one line for an error, the right exit code, and nothing heavy on the way."""

import errno
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import earlet
from earlet import cli
from earlet.cli import BROKEN_PIPE, INTERRUPTED, run
from earlet.errors import BundleError, ParityError

VERBS = ("detect", "info", "verify", "bench", "corpus", "train", "baseline", "export")
HEAVY = ("torch", "torchaudio", "onnx", "onnxscript", "scipy", "sklearn", "pydantic", "matplotlib")

Python = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def python() -> Python:
    """Runs a real interpreter."""

    def call(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments], input=stdin, capture_output=True, timeout=60, check=False
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return call


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs one verb, `try`, whose module has the given source."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(source: str) -> None:
        (tmp_path / "a_verb.py").write_text(source)
        entry = importlib.metadata.EntryPoint("try", "a_verb:call", cli.GROUP)
        monkeypatch.setattr(cli, "entry_points", lambda *, group: [entry])
        monkeypatch.delitem(sys.modules, "a_verb", raising=False)

    return install


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    positions = [shown.index(f"\n  {verb} ") for verb in VERBS]
    assert positions == sorted(positions)


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"earlet {earlet.__version__}\n"
    assert importlib.metadata.version("earlet") == earlet.__version__


def test_a_misspelt_verb_is_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detct"]) == 2
    assert "Did you mean 'detect'?" in capsys.readouterr().err


def test_without_a_verb_it_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert "earlet detect call.wav" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("error", "code"), [(BundleError("it broke"), 4), (ParityError("it broke"), 1)]
)
def test_an_error_is_one_line_and_its_own_exit_code(
    verb: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
) -> None:
    verb(
        f"from earlet.errors import {type(error).__name__} as E\n"
        f"def call():\n    raise E({str(error)!r})\n"
    )
    assert run(["try"]) == code
    captured = capsys.readouterr()
    assert captured.err == "earlet: it broke\n"
    assert captured.out == ""


@pytest.mark.parametrize(
    ("module", "extra"), [("torch", "train"), ("pyworld", "corpus"), ("matplotlib.pyplot", "bench")]
)
def test_a_verb_without_its_extra_is_listed_and_says_what_to_install(
    verb: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    verb(f"import {module}\ndef call():\n    pass\n")
    assert run(["--help"]) == 0
    assert f"needs: pip install 'earlet[{extra}]'" in " ".join(capsys.readouterr().out.split())
    assert run(["try", "this", "--with", "that"]) == 3
    assert f"pip install 'earlet[{extra}]'" in capsys.readouterr().err


def test_an_extra_that_is_missed_only_while_running_says_the_same(
    verb: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    verb("def call():\n    import torch\n")
    assert run(["try"]) == 3
    assert capsys.readouterr().err == (
        "earlet: this needs the Python package 'torch', which the base install leaves out. "
        "Install it with: pip install 'earlet[train]'\n"
    )


def test_a_missing_module_that_no_extra_brings_is_a_fault_and_not_hidden(
    verb: Callable[[str], None],
) -> None:
    verb("def call():\n    import no_such_module_anywhere\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        run(["try"])


def test_a_broken_verb_does_not_break_the_others(
    verb: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb("other = 1\n")
    assert run(["--help"]) == 0
    assert "cannot be loaded" in capsys.readouterr().out
    with pytest.raises(AttributeError):
        run(["try"])


def test_a_group_of_verbs_keeps_its_own(
    verb: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(
        "import typer\ncall = typer.Typer()\n"
        "@call.command()\ndef first():\n    typer.echo('one')\n"
        "@call.command()\ndef second():\n    raise typer.Exit(1)\n"
    )
    assert run(["try", "first"]) == 0
    assert capsys.readouterr().out == "one\n"
    assert run(["try", "second"]) == 1


def test_a_full_disk_is_named_with_the_file(
    verb: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(f"def call():\n    raise OSError({errno.ENOSPC}, 'No space left', 'out/fp32.onnx')\n")
    assert run(["try"]) == 2
    shown = capsys.readouterr().err
    assert "no space left on the disk at out/fp32.onnx" in shown
    assert "free some space" in shown


def test_other_refusals_of_the_system_are_one_line(
    verb: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(f"def call():\n    raise OSError({errno.EACCES}, 'Permission denied', 'secret')\n")
    assert run(["try"]) == 2
    assert capsys.readouterr().err == "earlet: Permission denied at secret.\n"


def test_control_c_leaves_with_130(verb: Callable[[str], None]) -> None:
    verb("def call():\n    raise KeyboardInterrupt\n")
    assert run(["try"]) == INTERRUPTED


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_writing_to_a_full_disk_is_said_once() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "earlet", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.decode().startswith("earlet: no space left on the disk")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_leaves_is_no_fault(shared_bundle: Path, tmp_path: Path) -> None:
    source = (
        f"import sys; from earlet.cli import run; sys.exit(run(['info', {str(shared_bundle)!r}]))"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", source],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert done.returncode == BROKEN_PIPE
    assert done.stderr == b""


def test_python_dash_m_is_the_same_command(
    python: Python, shared_bundle: Path, wav: Callable[..., Path], tone: Callable[..., object]
) -> None:
    path = wav("high.wav", tone(5000))
    done = python("-m", "earlet", "detect", str(path), "--model", str(shared_bundle), "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout)["label"] == "synthetic"


def test_importing_earlet_brings_numpy_and_nothing_heavier(python: Python) -> None:
    done = python("-c", "import sys, earlet; print(*sys.modules)")
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "numpy" in loaded
    assert loaded.isdisjoint({*HEAVY, "onnxruntime", "soundfile", "typer", "rich"})


def test_detecting_brings_in_neither_torch_nor_onnx(
    python: Python, shared_bundle: Path, wav: Callable[..., Path], tone: Callable[..., object]
) -> None:
    path = wav("low.wav", tone(500))
    source = (
        "import sys; from earlet.cli import run\n"
        f"assert run(['detect', {str(path)!r}, '--model', {str(shared_bundle)!r}]) == 0\n"
        f"assert run(['verify', {str(shared_bundle)!r}]) == 0\n"
        "print(*sys.modules)"
    )
    done = python("-c", source)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    # Typer itself takes pydantic where it happens to be installed.
    unwanted = {*HEAVY, "rich", "earlet_train", "earlet_export", "earlet_bench"} - {"pydantic"}
    assert {"onnxruntime", "soundfile"} <= loaded
    assert loaded & unwanted == set()


def test_help_needs_no_extra_and_is_quick(python: Python) -> None:
    blocked = (*HEAVY, "rich", "pyworld", "parselmouth", "av", "safetensors", "onnxruntime")
    source = (
        "import sys, time; start = time.process_time()\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "from earlet.cli import run\n"
        "code = run(['--help'])\n"
        "print('SECONDS', time.process_time() - start)\n"
        "sys.exit(code)"
    )
    started = time.perf_counter()
    done = python("-c", source)
    assert done.returncode == 0, done.stderr
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    seconds = float(done.stdout.rsplit("SECONDS", 1)[1])
    # 0.2 s of processor here; the bound leaves room for a board and for a busy machine.
    assert seconds < 1.5, time.perf_counter() - started
