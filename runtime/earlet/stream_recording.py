"""Judges a recording of any length block by block, as a Detector judges it whole.

An hour of sound needs the memory of a block, a filter and a window of it; what is said of it has
the bits of what the detector says of the same samples in one array.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from earlet.resample import Waveform, check_rate
from earlet.stream_resample import StreamResampler
from earlet.stream_windows import WindowCutter
from earlet.verdict import Verdict
from earlet.waveform import Channel, Seen, check_samples, pick_channel
from earlet.windows import fit, pool

if TYPE_CHECKING:
    from earlet.detector import Detector


def judge(
    detector: "Detector",
    blocks: Iterable[NDArray[np.float32]],
    sample_rate_hz: int,
    *,
    channel: Channel = None,
    each_window: bool = False,
) -> list[Verdict]:
    """Blocks [T, channels] of a recording -> its verdict, or with `each_window` one per window.

    Raises AudioError as the detector does. Samples that break the contract are counted to the end
    before that, so that what is said of them is said of the whole recording.
    """
    check_rate(sample_rate_hz)
    policy = detector.manifest.window
    first_only = policy.pooling == "first" and not each_window
    recording = _Recording(detector, sample_rate_hz, first_only=first_only)
    seen = Seen()
    for block in blocks:
        mono = pick_channel(block, channel)
        seen = seen.with_more(mono, kind="float32")
        if seen.good:
            recording.hear(np.ascontiguousarray(mono, dtype=np.float32))
    seen.check()
    seen.check_not_integers()
    check_samples(
        seen.samples,
        policy,
        sample_rate_hz=sample_rate_hz,
        to_hz=detector.manifest.sample_rate_hz,
    )
    recording.end()
    spans = recording.spans
    if each_window:
        return [
            detector.verdict(score, begin, end)
            for (begin, end), score in zip(spans, recording.scores, strict=True)
        ]
    loud = [score for score in recording.scores if score is not None]
    return [detector.verdict(pool(np.array(loud), policy) if loud else None, 0, spans[-1][1])]


class _Recording:
    """The windows of a recording, each scored when it is complete: `spans`, and `scores` of them.

    `first_only`: no window after the first matters.
    """

    def __init__(self, detector: "Detector", sample_rate_hz: int, *, first_only: bool) -> None:
        self._detector, self._first_only = detector, first_only
        self._policy = detector.manifest.window
        self._resampler = StreamResampler(sample_rate_hz, detector.manifest.sample_rate_hz)
        self._cutter = WindowCutter(
            window_samples=self._policy.window_samples, hop_samples=self._policy.hop_samples
        )
        self.spans: list[tuple[int, int]] = []
        self.scores: list[float | None] = []

    def hear(self, piece: Waveform) -> None:
        """The next samples [T] at the recording's rate."""
        if not (self._first_only and self.scores):
            self._cut(self._resampler.accept(piece))

    def end(self) -> None:
        """There are no more: the window flush with the end, or a short recording as a whole."""
        if self._first_only and self.scores:
            return
        self._cut(self._resampler.finish())
        if not self.spans:
            self._score(0, fit(self._cutter.sound, self._policy), end=self._cutter.samples)
        elif (last := self._cutter.last()) is not None and not self._first_only:
            self._score(*last, end=self._cutter.samples)

    def _cut(self, sound: Waveform) -> None:
        while len(sound) and not (self._first_only and self.scores):
            sound = sound[self._cutter.put(sound) :]
            if self._cutter.ready:
                window = self._cutter.take()
                begin = self._cutter.begin
                self._score(begin, window, end=begin + self._policy.window_samples)

    def _score(self, begin: int, window: Waveform, *, end: int) -> None:
        self.spans.append((begin, end))
        self.scores.append(self._detector.score(window))
