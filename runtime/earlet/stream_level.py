"""The level of every window of a sound as it arrives, from sums of squares of parts of windows."""

import math
from collections import deque
from collections.abc import Iterable

import numpy as np

from earlet.resample import Waveform

# A product of more would be shared among threads, however many were asked for.
_AT_ONCE = 8192


class WindowLevels:
    """Levels in dB of the windows at 0, hop, 2 hop, ..., each as soon as its window is complete.

    A window is some whole hops and the head of another. So each hop is squared once, in two parts,
    and a window adds up a few numbers. The parts are the same however the sound arrives, so the
    levels are too; they differ from `level_dbfs` of the window by rounding in single precision.
    """

    def __init__(self, *, window_samples: int, hop_samples: int) -> None:
        self._window, self._hop = window_samples, hop_samples
        self._hops, self._head = divmod(window_samples, hop_samples)
        # Of a hop beyond the window's head, where no whole hop fits into a window, nothing counts.
        self._kept = hop_samples if self._hops else self._head
        self._buffer = np.empty(self._kept, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the sound."""
        self.ready: deque[float] = deque()
        self._whole: deque[float] = deque(maxlen=self._hops)
        self._head_sum = 0.0
        self._at = 0

    @property
    def state_bytes(self) -> int:
        """Memory of one sound."""
        return self._buffer.nbytes + 8 * self._hops

    def put(self, sound: Waveform) -> None:
        """The next samples [T], any number; levels of windows that end in them go to `ready`."""
        done, samples = 0, len(sound)
        while done < samples:
            begin = self._head if self._at >= self._head else 0
            end = self._hop if self._at >= self._head else self._head
            count = min(end - self._at, samples - done)
            counted = end <= self._kept
            # A part that came in one piece is squared where it lies.
            part = sound[done : done + count] if count == end - begin else None
            if counted and part is None:
                self._buffer[self._at : self._at + count] = sound[done : done + count]
            done += count
            self._at += count
            if self._at < end:
                continue
            energy = 0.0
            if counted:
                energy = _energy(self._buffer[begin:end] if part is None else part)
            if end == self._head:
                self._head_sum = energy
                self._window_ends([*self._whole, energy])
            if end == self._hop:
                self._hop_ends(energy)

    def _hop_ends(self, energy: float) -> None:
        if self._hops:
            self._whole.append(self._head_sum + energy)
        self._at, self._head_sum = 0, 0.0
        if self._head == 0:
            self._window_ends(self._whole)

    def _window_ends(self, energies: Iterable[float]) -> None:
        if len(self._whole) == self._hops:
            power = math.fsum(energies) / self._window
            self.ready.append(10 * math.log10(power) if power > 0 else -math.inf)


def _energy(part: Waveform) -> float:
    if len(part) > _AT_ONCE:
        starts = range(0, len(part), _AT_ONCE)
        return math.fsum(_energy(part[start : start + _AT_ONCE]) for start in starts)
    # In single precision: a copy in double takes four times as long, for digits of a level that
    # decide nothing (tests hold it to 1e-5 dB).
    return float(part.dot(part))
