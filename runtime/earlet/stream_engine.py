"""The two ways in which a stream scores its windows: each anew, or only what is new.

Both take the sound in pieces of any size and give the score of each window at 0, hop, 2 hop, ... in
order, once they have it.
"""

from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from earlet.resample import Waveform
from earlet.stream_buffers import SoundBuffers
from earlet.stream_windows import WindowCutter
from earlet.streaming import Streaming

if TYPE_CHECKING:
    from earlet.detector import Detector

Kind = Literal["exact", "window"]

_NOTHING = np.zeros(0, np.float32)


class Engine(Protocol):
    """`put` sound until `ready`, then `run`; `scores` fills up. See the two below."""

    kind: Kind
    scores: deque[float | None]

    @property
    def ready(self) -> bool:
        """Whether it must run before more sound fits in."""

    @property
    def sound(self) -> Waveform:
        """All of the sound so far, as long as that is less than a window."""

    @property
    def latency_samples(self) -> int:
        """From the beginning of a window until its score is there."""

    @property
    def state_bytes(self) -> int:
        """Memory of this sound."""

    def put(self, sound: Waveform) -> int:
        """The next samples [T] -> how many of them fitted in."""

    def run(self, *, quiet: bool) -> None:
        """Compute. `quiet`: the window that ends here holds nothing but silence."""

    def pad(self) -> None:
        """Silence until it is ready."""

    def reset(self) -> None:
        """Forget the sound."""


class WindowEngine:
    """Keeps the last window, and puts it whole through the offline graph at each hop."""

    kind: Kind = "window"

    def __init__(self, detector: "Detector", *, hop_samples: int) -> None:
        self._detector = detector
        self.latency_samples = detector.manifest.window.window_samples
        self._cutter = WindowCutter(window_samples=self.latency_samples, hop_samples=hop_samples)
        self.scores: deque[float | None] = deque()

    @property
    def ready(self) -> bool:
        """Whether a window is complete."""
        return self._cutter.ready

    @property
    def sound(self) -> Waveform:
        """All of the sound so far, as long as that is less than a window."""
        return self._cutter.sound

    @property
    def state_bytes(self) -> int:
        """The window."""
        return self._cutter.state_bytes

    def put(self, sound: Waveform) -> int:
        """The next samples [T] -> how many of them fitted in."""
        return self._cutter.put(sound)

    def run(self, *, quiet: bool) -> None:
        """Score the window; a silent one would get no verdict anyway."""
        window = self._cutter.take()
        self.scores.append(None if quiet else float(self._detector.scores(window[None])[0]))

    def pad(self) -> None:
        """Nothing: no window ever waits for more than its own end."""

    def reset(self) -> None:
        """Forget the sound."""
        self._cutter.reset()
        self.scores.clear()


class ExactEngine:
    """Puts each chunk through the streaming graph, which keeps what it needs in its states.

    One `sound` among those of `buffers`, whose owner may also run several in company: `collect`
    then takes the answer.
    """

    kind: Kind = "exact"

    def __init__(
        self, detector: "Detector", streaming: Streaming, buffers: SoundBuffers, *, sound: int = 0
    ) -> None:
        self._detector, self._streaming = detector, streaming
        self.buffers, self.row = buffers, sound
        self._chunk, self._logits = buffers.waveform[sound], buffers.logits[sound]
        self._samples, self._filled = len(self._chunk), 0
        self._window = detector.manifest.window.window_samples
        self.scores: deque[float | None] = deque()
        self.reset()

    @property
    def ready(self) -> bool:
        """Whether a chunk is complete."""
        return self._filled == self._samples

    @property
    def sound(self) -> Waveform:
        """All of the sound so far, as long as that is less than a window."""
        return _NOTHING if self._opening is None else self._opening[: self._opened]

    @property
    def latency_samples(self) -> int:
        """The chunks until the first answer, but for the lead; no less than the window."""
        streaming = self._streaming
        heard = (streaming.warmup_chunks + 1) * streaming.chunk_samples - streaming.lead_samples
        return max(self._window, heard)

    @property
    def state_bytes(self) -> int:
        """Two sets of states and the chunk; before the first window is complete, that too."""
        opening = 0 if self._opening is None else self._opening.nbytes
        return self.buffers.bytes_each + opening

    def put(self, sound: Waveform) -> int:
        """The next samples [T] -> how many of them fitted in."""
        filled = self._filled
        count = min(self._samples - filled, len(sound))
        self._chunk[filled : filled + count] = sound[:count]
        self._filled = filled + count
        if self._opening is not None:
            self._keep(sound[:count])
        return count

    def run(self, *, quiet: bool) -> None:
        """Run this sound alone; silence too must reach the states."""
        self.buffers.run_alone(self.row)
        self.collect()

    def collect(self) -> None:
        """Take the answer of a run, which was this sound's turn."""
        self._filled = 0
        self._chunks += 1
        if self._chunks > self._streaming.warmup_chunks:
            self.scores.append(self._detector.score_of(self._logits, source=self.buffers.source))

    def pad(self) -> None:
        """Silence until the chunk is complete."""
        self._chunk[self._filled :] = 0
        self._filled = self._samples

    def reset(self) -> None:
        """Forget the sound: initial states, and the lead that stands before any sound."""
        self.buffers.reset(self.row)
        self._chunk[: self._streaming.lead_samples] = 0
        self._filled = self._streaming.lead_samples
        # A sound that ends before its first window does is judged whole.
        self._opening: Waveform | None = np.empty(self._window, np.float32)
        self._opened = self._chunks = 0
        self.scores.clear()

    def _keep(self, sound: Waveform) -> None:
        """The opening of the sound, until there is a window of it."""
        assert self._opening is not None
        count = min(len(sound), self._window - self._opened)
        self._opening[self._opened : self._opened + count] = sound[:count]
        self._opened += count
        if self._opened == self._window:
            self._opening, self._opened = None, 0
