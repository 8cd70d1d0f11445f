"""Progress is for people at a terminal, on stderr, and costs the measurement nothing."""

import os
import pty
import subprocess
import sys

import pytest

from earlet_bench.progress import Silent, on_stderr

PROGRAM = """
import threading
from earlet_bench.progress import on_stderr
with on_stderr() as progress:
    progress.stage("latency", 3)
    for _ in range(3):
        progress.step()
    assert threading.active_count() == 1, "a thread would be timed too"
print("data")
"""


def test_on_a_terminal_a_bar_is_drawn_without_a_thread_of_its_own() -> None:
    ours, theirs = pty.openpty()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        check=False,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        drawn = terminal.read(100_000).decode(errors="replace")
    assert ended.returncode == 0, drawn
    assert ended.stdout == "data\n"
    assert "latency" in drawn


def test_in_a_pipe_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with on_stderr() as progress:
        assert isinstance(progress, Silent)
        progress.stage("latency", 1)
        progress.step()
    assert capsys.readouterr() == ("", "")
