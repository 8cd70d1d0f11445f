"""Times the original and its graphs side by side, so that the default precision is measured."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from earlet.timing import Timing, interleave, ratio
from earlet_export.answers import Array, Run

ROUNDS = 30
# A search times a dozen graphs at once.
SEARCH_ROUNDS = 15
# int8 must win by more than this to be the default: less is noise, and fp32 is exact.
WORTH = 0.95


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One window on one thread. `ratio_to_fp32`: median over rounds of the CPU-time ratio."""

    candidate: str
    p50_ms: float
    p90_ms: float
    ratio_to_fp32: float


def measure(
    network: nn.Module, graphs: Mapping[str, Run], window: Array, *, rounds: int = ROUNDS
) -> tuple[Speed, ...]:
    """Network, its graphs by precision, window [1, T] -> one row each, the network first."""
    waveform = torch.from_numpy(window)

    def original() -> None:
        with torch.inference_mode():
            network(waveform)

    calls = {name: (lambda run=run: run(window)) for name, run in graphs.items()}
    with one_thread():
        timings = interleave({"torch": original, **calls}, rounds=rounds)
    return tuple(_speed(name, timing, timings["fp32"]) for name, timing in timings.items())


def side_by_side(
    graphs: Mapping[str, Run], window: Array, *, rounds: int = SEARCH_ROUNDS
) -> dict[str, Speed]:
    """Graphs by name, `fp32` among them, and a window [1, T] -> the speed of each, in one run."""
    calls = {name: (lambda run=run: run(window)) for name, run in graphs.items()}
    timings = interleave(calls, rounds=rounds)
    return {name: _speed(name, timing, timings["fp32"]) for name, timing in timings.items()}


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch computes on one thread: repeatable, and no slower on a busy machine.

    (Two threads of torch that share two cores with anything else spin on each other: the same
    export took three and a half times the processor time.)
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def faster_precision(speeds: tuple[Speed, ...]) -> str:
    """`int8` where it is clearly faster than fp32 here, else `fp32`."""
    of = {speed.candidate: speed.ratio_to_fp32 for speed in speeds}
    return "int8" if of.get("int8", 1.0) < WORTH else "fp32"


def _speed(name: str, timing: Timing, fp32: Timing) -> Speed:
    return Speed(
        candidate=name,
        p50_ms=timing.percentile_ms(50),
        p90_ms=timing.percentile_ms(90),
        ratio_to_fp32=ratio(timing, fp32),
    )
