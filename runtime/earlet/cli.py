"""The `earlet` command: finds its verbs, and turns every error into one line and an exit code.

Verbs are entry points of the group `earlet.commands`: a function becomes a command, a Typer
instance a group of them. Only the verb that is asked for is imported (all of them for `--help`),
and a verb whose extra is not installed stays in the list and says what to install.
"""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from earlet.errors import EarletError, MissingExtra, UsageError

GROUP = "earlet.commands"

INTERRUPTED = 130
BROKEN_PIPE = 141  # 128 + SIGPIPE, as the shell reports it of any other program

# The order of `earlet --help`: the way of one model, from use to making.
_ORDER = (
    *("detect", "listen", "info", "verify", "models", "doctor", "bench", "compare", "evaluate"),
    *("fuse", "tune", "events", "corpus", "describe", "lint", "train", "adopt", "baseline"),
    *("export", "study"),
)

_EXTRAS = {
    "train": (
        "torch",
        "torchaudio",
        "onnx",
        "onnxscript",
        "pydantic",
        "safetensors",
        "sklearn",
        "scipy",
    ),
    "corpus": ("pyworld", "parselmouth", "av"),
    "bench": ("matplotlib", "rich"),
    "mic": ("sounddevice",),
}
_EXTRA_OF = {module: extra for extra, modules in _EXTRAS.items() for module in modules}

_LOOSE = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

_HELP = """Audio detectors on small computers, with proof that they still work there.

Judge a recording with the detector that came along:

    earlet detect call.wav

Exit codes: 0 done, 1 a check failed, 2 bad usage or input, 3 an extra is not installed, 4 a bundle
is missing or damaged, 130 interrupted.
"""


def main() -> NoReturn:
    """Run the command line of this process, and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Arguments -> exit code. Errors that earlet knows become one line on stderr."""
    try:
        build(arguments)(args=list(arguments), prog_name="earlet")
    except SystemExit as leave:
        if isinstance(leave.__context__, BrokenPipeError):
            return _give_up_stdout(BROKEN_PIPE)
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except EarletError as error:
        return _complain(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = _missing_extra(error)
        if missing is None:
            raise
        return _complain(str(missing), missing.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted.", INTERRUPTED)
    except BrokenPipeError:
        return _give_up_stdout(BROKEN_PIPE)
    except OSError as error:
        _complain(_explain(error), UsageError.exit_code)
        return _give_up_stdout(UsageError.exit_code)
    return 0


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application, with the one verb that the arguments name, or else with all of them."""
    app = typer.Typer(
        cls=_InOrder,
        help=_HELP,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    verbs = {entry.name: entry for entry in entry_points(group=GROUP)}
    named = next((a for a in arguments if not a.startswith("-")), None)
    chosen = [named] if named in verbs else list(verbs)
    for name in chosen:
        _add(app, verbs[name])
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from earlet import __version__

        typer.echo(f"earlet {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and leave.",
            is_eager=True,
            callback=_print_version,
        ),
    ] = False,
) -> None:
    """Options of `earlet` itself; `--version` has acted by the time this is called."""


class _InOrder(TyperGroup):
    """Lists the verbs in our order; Typer lists every group after every command."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(self.commands, key=_place)


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    """Import one verb and add it; where that fails, add a stand-in that says why when called."""
    try:
        verb: Any = entry.load()
    except (ImportError, AttributeError) as error:
        missing = _missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
        why = f"cannot be loaded: {error}"
        if missing is not None:
            why = f"needs: pip install 'earlet[{missing.extra}]'"
        app.command(entry.name, help=f"({why})", context_settings=_LOOSE)(
            _refusal(missing or error)
        )
        return
    if isinstance(verb, typer.Typer):
        app.add_typer(verb, name=entry.name)
    else:
        app.command(entry.name)(verb)


def _refusal(error: Exception) -> Callable[[], None]:
    def refuse() -> None:
        raise error

    return refuse


def _missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """The extra that would bring the module; None where no extra does: then it is a fault."""
    module = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(module)
    return None if extra is None else MissingExtra(module=module, extra=extra)


def _complain(message: str, code: int) -> int:
    typer.echo(f"earlet: {message}", err=True)
    return code


def _explain(error: OSError) -> str:
    """What the operating system refused, to which file, and what to do."""
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"no space left on the disk{where}. Nothing half-written was left behind under a "
            "final name: free some space and run the same command again."
        )
    return f"{error.strerror or error}{where}."


def _give_up_stdout(code: int) -> int:
    """Send what is still to be written nowhere: its reader has left, or its disk is full.

    Python flushes stdout once more on leaving, and would complain then and change the exit code.
    """
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return code
