"""Cuts a sound that arrives in pieces into its windows; keeps no more than one and a hop of it."""

import numpy as np

from earlet.resample import Waveform


class WindowCutter:
    """The windows at 0, hop, 2 hop, ... of a sound, one after the other.

    Fill it with `put` until it is `ready`, then `take` the window, and so on.
    """

    def __init__(self, *, window_samples: int, hop_samples: int) -> None:
        self._window, self._hop = window_samples, hop_samples
        # The window taken last stays until the next is complete: a recording's end is judged from
        # the last samples of all, and they may reach back into it.
        self._buffer = np.empty(window_samples + hop_samples, np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the sound."""
        self._filled, self._wanted = 0, self._window
        self.begin = 0

    @property
    def state_bytes(self) -> int:
        """Memory of one sound."""
        return self._buffer.nbytes

    @property
    def samples(self) -> int:
        """How long the sound is by now."""
        return self.begin + self._filled

    @property
    def ready(self) -> bool:
        """Whether the next window is complete; nothing fits in before it is taken."""
        return self._filled == self._wanted

    @property
    def sound(self) -> Waveform:
        """What is kept [T]: all of the sound before its first window was complete."""
        return self._buffer[: self._filled]

    def put(self, sound: Waveform) -> int:
        """The next samples [T] -> how many fitted in before the next window was complete."""
        count = min(self._wanted - self._filled, len(sound))
        self._buffer[self._filled : self._filled + count] = sound[:count]
        self._filled += count
        return count

    def take(self) -> Waveform:
        """The window [window_samples] that is ready, and begins at `begin`; good until `put`."""
        assert self.ready
        if self._wanted > self._window:
            self._filled -= self._hop
            self._buffer[: self._filled] = self._buffer[self._hop : self._hop + self._filled]
            self.begin += self._hop
        self._wanted = self._window + self._hop
        return self._buffer[: self._window]

    def last(self) -> tuple[int, Waveform] | None:
        """(begin, the window [window_samples] flush with the end of the sound), if there is a rest.

        None where the window taken last ends with the sound.
        """
        rest = self._filled - self._window
        if rest <= 0:
            return None
        return self.begin + rest, self._buffer[rest : self._filled]
