"""Changes the sample rate of a sound that arrives in pieces, to the very samples of the whole."""

import numpy as np

from earlet.resample import Waveform, check_rate, fill, filter_rows, ratio


class StreamResampler:
    """`resample` for a sound without an end: takes any pieces, gives what is certain by now.

    All that it gives, put together, has the bits of `resample` on the whole sound: each output is
    one inner product of its own (see `earlet.resample.fill`). An output waits for half a filter of
    input behind it, 59 samples of the lower of both rates (3.7 ms at 16 kHz); `finish` gives the
    last ones, with silence behind the end. What it keeps is as long as the filter, however long
    the sound.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Raises AudioError on rates that no recording has."""
        for rate in (from_hz, to_hz):
            check_rate(rate)
        self.from_hz, self.to_hz = from_hz, to_hz
        self._L, self._M = ratio(from_hz, to_hz)
        self._rows = filter_rows(self._L, self._M)
        self._taps = self._rows.shape[1]
        self.reset()

    @property
    def state_bytes(self) -> int:
        """What it keeps of the sound, at most, between two pieces."""
        return 0 if self.from_hz == self.to_hz else 4 * (self._taps + self._M)

    def reset(self) -> None:
        """Forget the sound: the next piece is the beginning of another."""
        # Samples of the padded sound: `_held` begins with number `_origin`.
        self._held = np.zeros(self._taps // 2 - 1, np.float32)
        self._origin = 0
        self._taken = self._given = 0

    def accept(self, piece: Waveform) -> Waveform:
        """The next piece [T] at from_hz -> the next samples at to_hz, as many as are certain."""
        self._taken += len(piece)
        if self.from_hz == self.to_hz:
            return piece
        self._held = np.concatenate([self._held, piece], dtype=np.float32)
        # Output k needs the taps from input k M / L on, rounded down.
        room = self._origin + len(self._held) - self._taps + 1
        return self._give(-(-room * self._L // self._M) if room > 0 else 0)

    def finish(self) -> Waveform:
        """The samples that waited for more input, with silence behind the end."""
        if self.from_hz == self.to_hz:
            return np.zeros(0, np.float32)
        behind = np.zeros(self._taps // 2 + self._M + 1, np.float32)
        self._held = np.concatenate([self._held, behind])
        return self._give(-(-self._taken * self._L // self._M))

    def _give(self, upto: int) -> Waveform:
        """Outputs from the last one given to before `upto`; drops the input that is done with."""
        out = np.empty(max(0, upto - self._given), np.float32)
        if len(out) == 0:
            return out
        fill(out, self._held, self._rows, self._M, output=self._given, origin=self._origin)
        self._given = upto
        done = min(upto * self._M // self._L - self._origin, len(self._held))
        self._held = self._held[done:].copy()
        self._origin += done
        return out
