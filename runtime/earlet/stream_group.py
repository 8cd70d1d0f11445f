"""Judges many sounds at once, each in its own time: microphones of a building, calls."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import NDArray

from earlet.errors import AudioError, EarletError, UsageError
from earlet.stream import Stream
from earlet.stream_engine import ExactEngine, Kind, WindowEngine
from earlet.verdict import Verdict
from earlet.waveform import Channel

if TYPE_CHECKING:
    from earlet.detector import Detector

# So many sounds go through the graph in one run. Measured per sound, against one alone: 2 0.86,
# 4 0.83, 8 0.82, 16 0.85, 64 1.01 (int8); 0.92, 0.91, 0.94, 0.99, 1.13 (fp32): beyond that, what
# they need does not fit into the processor's cache any more.
TOGETHER = 8


class Streams(Sequence[Stream]):
    """Streams of one detector, numbered from 0. Made by `Detector.streams`.

    Each is a `Stream` of its own: a call that begins or ends is `streams[7].reset()` and
    `streams[7].finish()`, and `streams[7].accept(packet, 8_000)` is its sound. Who has the sound of
    several at the same time hands it over together, and the graph is run on up to eight of them at
    once:

        streams = detector.streams(64)
        for source, verdict in streams.accept({0: packet, 7: other}, 8_000):
            ...
        streams.accept(dict(enumerate(block.T)), 48_000)   # one device with many channels

    What a source hears is never another's, and its verdicts have the bits that they would have in a
    stream alone: where a graph answers differently in company, which is tried when the streams are
    made, its sounds go through one by one.
    """

    def __init__(self, streams: Sequence[Stream], engines: Sequence[ExactEngine]) -> None:
        """`engines`: of the streams, where they are exact; those of a group share their buffers."""
        self._streams, self._engines = tuple(streams), tuple(engines)

    @overload
    def __getitem__(self, source: int) -> Stream: ...
    @overload
    def __getitem__(self, source: slice) -> Sequence[Stream]: ...
    def __getitem__(self, source: int | slice) -> Stream | Sequence[Stream]:
        """The stream of one source."""
        return self._streams[source]

    def __len__(self) -> int:
        """How many sources there are."""
        return len(self._streams)

    def __iter__(self) -> Iterator[Stream]:
        """All streams, in order."""
        return iter(self._streams)

    @property
    def state_bytes(self) -> int:
        """Memory of all streams together, without the model."""
        return sum(stream.state_bytes for stream in self._streams)

    def accept(
        self,
        arrived: Mapping[int, NDArray[Any]],
        sample_rate_hz: int,
        *,
        channel: Channel = None,
    ) -> list[tuple[int, Verdict]]:
        """What each source has heard since -> (source, verdict) of the windows now complete.

        Sources in order, and each one's verdicts in order of time. Sources without new sound are
        left out; the lengths may differ. Raises what `Stream.accept` raises, with the number of the
        source: nothing is taken then, of none, so the others can be handed over again without it.
        """
        checked = {}
        for source in sorted(arrived):
            stream = self._find(source)
            try:
                checked[source] = stream.checked(arrived[source], sample_rate_hz, channel=channel)
            except (AudioError, UsageError) as error:
                raise type(error)(f"source {source}: {error}") from None
        left = {
            source: self._streams[source].take(piece, seen, sample_rate_hz)
            for source, (piece, seen) in checked.items()
        }
        verdicts: dict[int, list[Verdict]] = {source: [] for source in left}
        while left := {source: sound for source, sound in left.items() if len(sound)}:
            left = {source: self._streams[source].fill(sound) for source, sound in left.items()}
            ready = [source for source in left if self._streams[source].ready]
            self._run(ready)
            for source in left:
                verdicts[source] += self._streams[source].due()
        return [(source, verdict) for source, found in verdicts.items() for verdict in found]

    def _find(self, source: int) -> Stream:
        if not 0 <= source < len(self._streams):
            raise UsageError(
                f"there is no source {source}: there are {len(self._streams)}, counted from 0. "
                "Ask for more: detector.streams(n)."
            )
        return self._streams[source]

    def _run(self, ready: list[int]) -> None:
        """The model on all that are ready, those of a group in one run."""
        if not self._engines:
            for source in ready:
                self._streams[source].run()
            return
        for first in range(0, len(self._streams), TOGETHER):
            group = [source for source in ready if first <= source < first + TOGETHER]
            if not group:
                continue
            try:
                self._engines[first].buffers.run([self._engines[source].row for source in group])
                for source in group:
                    self._engines[source].collect()
            except EarletError:
                for source in group:
                    self._streams[source].give_up()
                raise


def open_streams(detector: "Detector", sources: int, *, kind: Kind | None) -> Streams:
    """Streams at their beginning. `kind`: None for `exact` where the bundle can, else `window`.

    Both give verdicts on the same windows. Raises UsageError, and BundleError on a streaming graph
    that is damaged.
    """
    if sources < 1:
        raise UsageError(f"the number of streams should be at least 1, found {sources}.")
    manifest = detector.manifest
    streaming = manifest.stream
    session = None if kind == "window" else detector.stream_session
    hop = manifest.window.hop_samples if streaming is None else streaming.chunk_samples
    if session is None or streaming is None:
        if kind == "exact":
            raise UsageError(
                f"{detector.bundle.path} has no streaming graph of precision "
                f"{detector.precision!r}. Give the whole folder of a bundle that was exported with "
                "one, or let each window be computed anew: kind='window'."
            )
        windows = [WindowEngine(detector, hop_samples=hop) for _ in range(sources)]
        return Streams([Stream(detector, one, hop_samples=hop) for one in windows], [])
    groups = [
        session.buffers(min(TOGETHER, sources - first)) for first in range(0, sources, TOGETHER)
    ]
    engines = [
        ExactEngine(detector, streaming, buffers, sound=sound)
        for buffers in groups
        for sound in range(len(buffers.waveform))
    ]
    return Streams([Stream(detector, one, hop_samples=hop) for one in engines], engines)
