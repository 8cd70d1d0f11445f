"""Scores recordings: any rate and length in, one verdict out."""

import math
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.bundle import Bundle
from earlet.errors import BundleError
from earlet.manifest import Manifest
from earlet.resample import check_rate, resample
from earlet.scores import probability, score_of, scores
from earlet.stream import Stream
from earlet.stream_engine import Kind
from earlet.stream_group import Streams, open_streams
from earlet.stream_session import StreamSession
from earlet.verdict import Verdict
from earlet.waveform import Channel, Waveform, as_waveform, check_length, level_dbfs
from earlet.windows import fit, pool, starts


class Detector:
    """One graph of a bundle, ready to judge. Holds no state: threads and streams may share it.

    Made by `earlet.load`. What it may be fed is in `earlet.waveform`, what it answers in
    `earlet.verdict`, and how a recording becomes windows in its manifest's `WindowPolicy`: also
    where its graph takes any length, for the threshold was set on windows.
    """

    def __init__(self, bundle: Bundle, *, precision: str | None = None, threads: int = 1) -> None:
        """Raises BundleError on a damaged bundle, UsageError on a precision that it lacks."""
        self.bundle = bundle
        self.precision = bundle.precision(precision)
        self._threads = threads
        data, self.sha256 = bundle.graph(self.precision)
        self._session = bundle.session_of(data, precision=self.precision, threads=threads)

    @property
    def manifest(self) -> Manifest:
        """The contract: rate, window, labels, threshold, provenance."""
        return self.bundle.manifest

    def __call__(
        self, waveform: NDArray[Any], sample_rate_hz: int, *, channel: Channel = None
    ) -> Verdict:
        """Samples [T] or [T, channels] at any rate -> one verdict on the whole recording.

        The score pools those of the windows that hold sound, by the manifest's rule. Raises
        AudioError on a recording that breaks the input contract.
        """
        sound = self._prepare(waveform, sample_rate_hz, channel=channel)
        policy = self.manifest.window
        begins = starts(len(sound), policy)
        if policy.pooling == "first":
            begins = begins[:1]
        judged = [self.score(fit(sound[begin:], policy)) for begin in begins]
        loud = [score for score in judged if score is not None]
        score = pool(np.array(loud), policy) if loud else None
        return self.verdict(score, 0, min(begins[-1] + policy.window_samples, len(sound)))

    def windows(
        self, waveform: NDArray[Any], sample_rate_hz: int, *, channel: Channel = None
    ) -> list[Verdict]:
        """Samples [T] or [T, channels] at any rate -> one verdict per window, in order."""
        sound = self._prepare(waveform, sample_rate_hz, channel=channel)
        policy = self.manifest.window
        return [
            self.verdict(
                self.score(fit(sound[begin:], policy)),
                begin,
                min(begin + policy.window_samples, len(sound)),
            )
            for begin in starts(len(sound), policy)
        ]

    def batch(
        self, recordings: Iterable[tuple[NDArray[Any], int]], *, channel: Channel = None
    ) -> list[Verdict]:
        """(samples, rate) of several recordings -> a verdict each, the same as one by one."""
        return [self(waveform, rate, channel=channel) for waveform, rate in recordings]

    def stream(self, *, kind: Kind | None = None) -> Stream:
        """For sound that goes on: takes it in pieces of any size, gives a verdict for each window.

        `kind`: `exact` computes only what is new, with the bundle's streaming graph; `window` puts
        each window whole through the offline graph. Their verdicts are the same but for rounding.
        None: exact where the bundle can. Raises UsageError, BundleError.
        """
        return self.streams(1, kind=kind)[0]

    def streams(self, sources: int, *, kind: Kind | None = None) -> Streams:
        """The same for many sources at once, over this one detector."""
        return open_streams(self, sources, kind=kind)

    def score(self, window: Waveform) -> float | None:
        """One window [window_samples] -> its score; None where it holds nothing but silence."""
        if level_dbfs(window) < self.manifest.silence_dbfs:
            return None
        return float(self.scores(window[None])[0])

    def scores(self, windows: Waveform) -> NDArray[np.float64]:
        """Windows [B, window_samples] at the detector's rate -> calibrated scores [B].

        Windows go through the graph one by one: on one thread a batch is no faster, and so no
        window's score can depend, not in the last bit, on the company it came in.
        """
        logits = np.concatenate([self._session.logits(window[None]) for window in windows])
        return self.calibrated(logits, source=self._session.source)

    def calibrated(self, logits: NDArray[np.float32], *, source: str) -> NDArray[np.float64]:
        """Logits [B, K] of the graph `source` -> calibrated scores [B]. Raises BundleError."""
        if not np.isfinite(logits).all():
            raise BundleError(
                f"{source} answered with a number that is not finite on sound that is. "
                "The model is broken on this machine: run earlet verify on its bundle."
            )
        return scores(logits, self.manifest)

    def score_of(self, logits: NDArray[np.float32], *, source: str) -> float:
        """Logits [K] of one window -> the score that `calibrated` gives it. Raises BundleError."""
        # NaN and infinity stay what they are in a sum.
        if not math.isfinite(sum(logits.tolist())):
            self.calibrated(logits[None], source=source)
        return score_of(logits, self.manifest)

    def verdict(self, score: float | None, begin: int, end: int) -> Verdict:
        """What a score of samples `begin` to `end` means; None: they are silence."""
        manifest = self.manifest
        return Verdict(
            label=None if score is None else label(score, manifest),
            score=score,
            probability=None if score is None else probability(score),
            threshold=manifest.threshold,
            status="no_signal" if score is None else "ok",
            start_s=begin / self._rate_hz,
            end_s=end / self._rate_hz,
            model=manifest.name,
            sha256=self.sha256,
        )

    @cached_property
    def stream_session(self) -> StreamSession | None:
        """The streaming graph of this precision, opened when first asked for; None without one."""
        return self.bundle.stream_session(self.precision, threads=self._threads)

    def _prepare(
        self, waveform: NDArray[Any], sample_rate_hz: int, *, channel: Channel
    ) -> Waveform:
        """Any accepted recording -> waveform [T] at the detector's rate."""
        check_rate(sample_rate_hz)
        mono = as_waveform(waveform, channel=channel)
        check_length(mono, self.manifest.window, sample_rate_hz=sample_rate_hz, to_hz=self._rate_hz)
        return resample(mono, sample_rate_hz, self._rate_hz)

    @property
    def _rate_hz(self) -> int:
        return self.manifest.sample_rate_hz


def label(score: float, manifest: Manifest) -> str:
    """The positive label from the threshold on; below it the other, or `not POSITIVE` of many."""
    if score >= manifest.threshold:
        return manifest.positive
    others = [name for name in manifest.labels if name != manifest.positive]
    return others[0] if len(others) == 1 else f"not {manifest.positive}"
