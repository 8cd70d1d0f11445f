"""The level of every window of a sound as it arrives, from sums of squares of parts of windows."""

import math
from collections import deque

import numpy as np

from earlet.resample import Waveform


class WindowLevels:
    """Levels in dB of the windows at 0, hop, 2 hop, ..., each as soon as its window is complete.

    A window is some whole hops and the head of another. So each hop is squared once, in two parts,
    and a window adds up a few numbers. The parts are the same however the sound arrives, so the
    levels are too; they differ from `level_dbfs` of the window by rounding in double precision.
    """

    def __init__(self, *, window_samples: int, hop_samples: int) -> None:
        self._window, self._hop = window_samples, hop_samples
        self._hops, self._head = divmod(window_samples, hop_samples)
        # Of a hop beyond the window's head, where no whole hop fits into a window, nothing counts.
        self._buffer = np.empty(hop_samples if self._hops else self._head, np.float32)
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
        while len(sound):
            edge = self._head if self._at < self._head else self._hop
            count = min(edge - self._at, len(sound))
            if self._at < len(self._buffer):
                self._buffer[self._at : self._at + count] = sound[:count]
            sound = sound[count:]
            self._at += count
            if self._at == self._head and count:
                self._head_sum = _energy(self._buffer[: self._head])
                self._window_ends([*self._whole, self._head_sum])
            if self._at == self._hop:
                self._hop_ends()

    def _hop_ends(self) -> None:
        if self._hops:
            self._whole.append(self._head_sum + _energy(self._buffer[self._head :]))
        self._at, self._head_sum = 0, 0.0
        if self._head == 0:
            self._window_ends([*self._whole])

    def _window_ends(self, energies: list[float]) -> None:
        if len(self._whole) == self._hops:
            power = math.fsum(energies) / self._window
            self.ready.append(10 * math.log10(power) if power > 0 else -math.inf)


def _energy(part: Waveform) -> float:
    return float(np.square(part, dtype=np.float64).sum())
