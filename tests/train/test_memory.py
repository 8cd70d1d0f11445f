import resource
import subprocess
import sys

import pytest

from earlet_train import memory
from earlet_train.memory import PLENTY_BYTES, available_bytes, keep_freed_memory

PROGRAM = """
import ctypes, resource, sys
from earlet_train.memory import keep_freed_memory

if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit("not kept")
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
for _ in range(20):
    taken = libc.malloc(48 << 20)
    ctypes.memset(taken, 1, 48 << 20)
    libc.free(taken)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or available_bytes() < PLENTY_BYTES,
    reason="memory is kept on Linux only, and where there is plenty",
)
def test_memory_that_is_taken_again_is_not_zeroed_by_the_kernel_again() -> None:
    faults = {}
    for how in ("kept", "given back"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
        )
        faults[how] = int(done.stdout)
    pages = (48 << 20) // resource.getpagesize()
    assert faults["given back"] > 20 * pages
    assert faults["kept"] < 3 * pages


def test_where_memory_is_short_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: PLENTY_BYTES - 1)
    assert not keep_freed_memory()
