"""Everything that earlet raises on purpose, and the exit code each becomes on the command line.

EarletError
├── AudioError(ValueError)    2  a recording or array that no detector can judge
├── BundleError(ValueError)   4  a bundle or model that is missing, damaged or not earlet's
├── RecipeError(ValueError)   2  a recipe that does not say what it must
├── CorpusError(ValueError)   2  a corpus that is incomplete, unreadable or inconsistent
├── UsageError(ValueError)    2  options that contradict each other or the machine
├── ParityError               1  an exported model that does not match its original
└── MissingExtra              3  a package that only one extra of earlet installs

Every message says what was found, what was expected and what to do.
"""

from typing import ClassVar


class EarletError(Exception):
    """Base of all: `except earlet.EarletError` catches whatever earlet raises on purpose."""

    exit_code: ClassVar[int] = 1


class AudioError(EarletError, ValueError):
    """A recording or array that breaks the input contract."""

    exit_code = 2


class BundleError(EarletError, ValueError):
    """A bundle or model file that is missing, damaged, or not one of ours."""

    exit_code = 4


class RecipeError(EarletError, ValueError):
    """A recipe with an unknown key, a wrong type or an impossible value."""

    exit_code = 2


class CorpusError(EarletError, ValueError):
    """A corpus that is incomplete, unreadable or inconsistent."""

    exit_code = 2


class UsageError(EarletError, ValueError):
    """Options that contradict each other, or that this machine cannot serve."""

    exit_code = 2


class ParityError(EarletError):
    """An exported model that does not match its original within what its recipe promises."""

    exit_code = 1


class MissingExtra(EarletError):  # noqa: N818  (the name states the remedy: an extra is missing)
    """A package that is not installed; the message gives the pip line.

    `extra` names the extra of earlet that brings it, None where the package itself is to be asked
    for (a base install made without its dependencies).
    """

    exit_code = 3

    def __init__(self, *, module: str, extra: str | None) -> None:
        self.module, self.extra = module, extra
        wanted, why = (
            (module, "which is not installed")
            if extra is None
            else (f"'earlet[{extra}]'", "which the base install leaves out")
        )
        super().__init__(
            f"this needs the Python package {module!r}, {why}. "
            f"Install it with: pip install {wanted}"
        )
