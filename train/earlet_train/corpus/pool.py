"""Worker processes with one thread each: many small jobs on all cores, nothing oversubscribed."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def worker_pool(
    jobs: int, *, begin: Callable[[], None] | None = None
) -> Iterator[ProcessPoolExecutor]:
    """A pool of `jobs` fresh processes; on an error or Ctrl-C what has not begun is dropped.

    `begin` runs once in each (it must be picklable: a function, or functools.partial of one).

    Fresh, not forked: a process forked beside a running progress bar can inherit a held lock.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    # Workers read these when they import numpy, so they must be in place before the first starts.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    pool = ProcessPoolExecutor(
        max_workers=jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(begin,),
    )
    try:
        yield pool
    except BaseException:
        # Waiting keeps the pool alive until its own thread has dropped what is pending.
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    else:
        pool.shutdown(wait=True)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin(begin: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if begin is not None:
        begin()


def _leave_with_parent() -> None:
    """A parent that was killed cannot end its workers: they would work on, unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
