"""Judges sound as it arrives: any pieces in, a verdict for each window of it out.

The windows are those at 0, hop, 2 hop, ... of the sound at the detector's rate, and their verdicts
those that the detector gives to the same windows offline: the streaming graph, where the bundle has
one, changes what a verdict costs, not what it says. How the sound was cut into pieces changes
nothing at all, not the last bit of a score.
"""

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from earlet.errors import AudioError, EarletError, UsageError
from earlet.resample import Waveform, check_rate
from earlet.stream_engine import Engine, Kind
from earlet.stream_level import WindowLevels
from earlet.stream_resample import StreamResampler
from earlet.verdict import Verdict
from earlet.waveform import Channel, Seen, as_piece, check_samples
from earlet.windows import fit

if TYPE_CHECKING:
    from earlet.detector import Detector


class Stream:
    """One sound as it goes on. Made by `Detector.stream` or `Detector.streams`.

        stream = detector.stream()
        for block in microphone:
            for verdict in stream.accept(block, 48_000):
                ...
        last = stream.finish()

    It owns all that must be remembered of the sound; the detector behind it remembers nothing and
    may serve any number of streams. A stream belongs to one thread at a time.

    The first verdict comes `warmup_s` after the beginning, then one every `hop_s`; until then
    `accept` gives empty lists and `latest` is None. Where the rate is changed, half a filter more
    is waited for (3.7 ms where the lower rate is 16 kHz).
    """

    # Of the sound: its rate is known with its first piece; why it takes no more, where it does not.
    _resampler: StreamResampler | None
    _seen: Seen
    _windows: int
    _latest: Verdict | None
    _over: str

    def __init__(self, detector: "Detector", engine: Engine, *, hop_samples: int) -> None:
        self._detector, self._engine, self._hop = detector, engine, hop_samples
        manifest = detector.manifest
        self._rate_hz, self._silence_dbfs = manifest.sample_rate_hz, manifest.silence_dbfs
        self._window = manifest.window.window_samples
        self._levels = WindowLevels(window_samples=self._window, hop_samples=hop_samples)
        self._begin_anew()

    @property
    def kind(self) -> Kind:
        """`exact`: a streaming graph computes what is new; `window`: each window anew."""
        return self._engine.kind

    @property
    def hop_s(self) -> float:
        """From one verdict to the next."""
        return self._hop / self._rate_hz

    @property
    def warmup_s(self) -> float:
        """Sound until the first verdict: a window, and what the streaming graph lags behind."""
        return self._engine.latency_samples / self._rate_hz

    @property
    def latest(self) -> Verdict | None:
        """The last verdict given; None before the first."""
        return self._latest

    @property
    def heard_s(self) -> float:
        """How much sound it was given since it began."""
        return 0.0 if self._resampler is None else self._seen.samples / self._resampler.from_hz

    @property
    def state_bytes(self) -> int:
        """Memory that this one stream holds now, beside the model, which all streams share.

        Of an exact stream most is its first window, let go when it is complete. What Python and
        onnxruntime need to find it all is not counted: some 80 kB, measured on 64 streams.
        """
        resampler = 0 if self._resampler is None else self._resampler.state_bytes
        return self._engine.state_bytes + self._levels.state_bytes + resampler

    def accept(
        self, samples: NDArray[Any], sample_rate_hz: int, *, channel: Channel = None
    ) -> list[Verdict]:
        """The next samples [T] or [T, channels], any number -> verdicts on windows now complete.

        Values, types and `channel` as for a Detector, except that channels always come last. No
        samples at all are no fault and change nothing. Raises AudioError on samples that break the
        contract or come at another rate than those before: nothing of them is taken, and the
        stream goes on with better ones. Raises UsageError after `finish`, until `reset`.
        """
        piece, seen = self.checked(samples, sample_rate_hz, channel=channel)
        return self._hear(self.take(piece, seen, sample_rate_hz))

    def finish(self) -> list[Verdict]:
        """The sound is over -> the verdicts still owed: of windows that it has covered.

        Those wait for the resampler or the streaming graph, which get silence behind the end. There
        is none on a window that the sound covers in part. A sound shorter than one window is judged
        whole, as a Detector judges it; raises AudioError where it is too short even for that.
        """
        self._check_open()
        self._over = "this stream was finished"
        if self._resampler is None:
            raise AudioError("the sound ended before it began: there are no samples to judge.")
        self._seen.check_not_integers()
        rest = self._resampler.finish()
        self._levels.put(rest)
        verdicts = self._hear(rest)
        if not self._windows and not self._levels.ready:
            return [self._whole()]
        while self._levels.ready:
            self._engine.pad()
            self.run()
            verdicts += self.due()
        return verdicts

    def reset(self) -> None:
        """Forget everything: what comes next is the beginning of another sound, at any rate."""
        self._engine.reset()
        self._levels.reset()
        self._begin_anew()

    # The steps of `accept`, for who runs several streams together (`earlet.stream_group`).

    def checked(
        self, samples: NDArray[Any], sample_rate_hz: int, *, channel: Channel
    ) -> tuple[Waveform, Seen]:
        """Samples -> (waveform at their own rate, what is seen of the sound with them).

        Raises what `accept` raises; nothing is taken yet.
        """
        self._check_open()
        if type(sample_rate_hz) is not int or sample_rate_hz != self._from_hz:
            self._check_rate(sample_rate_hz)
        try:
            piece, seen = as_piece(samples, channel=channel, before=self._seen)
            # A click at full scale is all whole numbers too; a second of them is not sound.
            if seen.samples >= sample_rate_hz:
                seen.check_not_integers()
        except AudioError as error:
            raise AudioError(f"{error} Nothing of this piece was taken.") from None
        return piece, seen

    def take(self, piece: Waveform, seen: Seen, sample_rate_hz: int) -> Waveform:
        """What was checked -> the sound [T] at the detector's rate that is certain by now."""
        if len(piece) == 0:
            return piece
        if self._resampler is None:
            self._from_hz = int(sample_rate_hz)
            self._resampler = StreamResampler(self._from_hz, self._rate_hz)
        self._seen = seen
        sound = self._resampler.accept(piece)
        self._levels.put(sound)
        return sound

    def fill(self, sound: Waveform) -> Waveform:
        """Sound at the detector's rate, up to where the model must run -> the rest of it."""
        return sound[self._engine.put(sound) :]

    @property
    def ready(self) -> bool:
        """Whether the model must run before more sound fits in."""
        return self._engine.ready

    def run(self) -> None:
        """Let the model run on this stream alone."""
        try:
            self._engine.run(quiet=bool(self._levels.ready) and self._quiet(self._levels.ready[0]))
        except EarletError:
            self.give_up()
            raise

    def give_up(self) -> None:
        """After a run that failed, nobody knows what the states hold."""
        self._over = "the model failed on this stream"

    def due(self) -> list[Verdict]:
        """Verdicts on the windows that are complete, and scored."""
        verdicts = []
        levels, scores = self._levels.ready, self._engine.scores
        while levels and scores:
            level, score = levels.popleft(), scores.popleft()
            begin = self._windows * self._hop
            self._windows += 1
            self._latest = self._detector.verdict(
                None if self._quiet(level) else score, begin, begin + self._window
            )
            verdicts.append(self._latest)
        return verdicts

    def _hear(self, sound: Waveform) -> list[Verdict]:
        """Sound [T] at the detector's rate -> verdicts on windows now complete."""
        verdicts = []
        while len(sound):
            sound = self.fill(sound)
            if self.ready:
                self.run()
            verdicts += self.due()
        return verdicts

    def _begin_anew(self) -> None:
        self._resampler = None
        self._from_hz = 0
        self._seen = Seen()
        self._windows = 0
        self._latest = None
        self._over = ""

    def _check_rate(self, sample_rate_hz: int) -> None:
        check_rate(sample_rate_hz)
        if self._from_hz not in (0, sample_rate_hz):
            raise AudioError(
                f"this sound came at {self._from_hz} Hz so far, and now at "
                f"{sample_rate_hz} Hz. Its rate cannot change on the way: finish() or reset() the "
                "stream first, or use one stream for each."
            )

    def _check_open(self) -> None:
        if self._over:
            raise UsageError(f"{self._over}. Call reset() before the next sound.")

    def _whole(self) -> Verdict:
        """The verdict on a sound shorter than a window."""
        assert self._resampler is not None
        detector, sound = self._detector, self._engine.sound
        check_samples(
            self._seen.samples,
            detector.manifest.window,
            sample_rate_hz=self._resampler.from_hz,
            to_hz=self._rate_hz,
        )
        score = detector.score(fit(sound, detector.manifest.window))
        self._latest = detector.verdict(score, 0, len(sound))
        return self._latest

    def _quiet(self, level_db: float) -> bool:
        return level_db < self._silence_dbfs
