"""`earlet evaluate` and `earlet fuse` as a user runs them: what they print, and refuse."""

import json
from typing import Any

import pytest

from earlet.cli import run as earlet

# Few, as intervals are not what these tests are about.
QUICK = ("--resamples", "20")


def evaluated(
    arguments: list[str], capfd: pytest.CaptureFixture[str], *, code: int = 0
) -> list[dict[str, Any]]:
    """What the command prints as JSON."""
    found = earlet([*arguments, *QUICK, "--json"])
    out, err = capfd.readouterr()
    assert found == code, f"exit code {found}: {err}"
    evaluations: list[dict[str, Any]] = json.loads(out)["evaluations"]
    return evaluations


def refused(arguments: list[str], capfd: pytest.CaptureFixture[str], *, code: int = 2) -> str:
    """What the command complains about."""
    found = earlet(arguments)
    out, err = capfd.readouterr()
    assert found == code, f"exit code {found}: {err}"
    assert out == "", f"on stdout: {out}"
    return err
