"""Scores recordings: any rate and length in, one verdict out."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earlet.bundle import Bundle
from earlet.errors import BundleError
from earlet.manifest import Manifest
from earlet.resample import check_rate, resample
from earlet.scores import probability, scores
from earlet.verdict import Verdict
from earlet.waveform import Channel, Waveform, as_waveform, check_length, level_dbfs
from earlet.windows import fit, pool, starts


class Detector:
    """One graph of a bundle, ready to judge. Holds no state: threads may share it.

    Made by `earlet.load`. What it may be fed is in `earlet.waveform`, what it answers in
    `earlet.verdict`, and how a recording becomes windows in its manifest's `WindowPolicy`: also
    where its graph takes any length, for the threshold was set on windows.
    """

    def __init__(self, bundle: Bundle, *, precision: str | None = None, threads: int = 1) -> None:
        """Raises BundleError on a damaged bundle, UsageError on a precision that it lacks."""
        self.bundle = bundle
        self.precision = bundle.precision(precision)
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
        judged = [self._score_at(sound, begin) for begin in begins]
        loud = [score for score in judged if score is not None]
        score = pool(np.array(loud), policy) if loud else None
        return self._verdict(score, 0, min(begins[-1] + policy.window_samples, len(sound)))

    def windows(
        self, waveform: NDArray[Any], sample_rate_hz: int, *, channel: Channel = None
    ) -> list[Verdict]:
        """Samples [T] or [T, channels] at any rate -> one verdict per window, in order."""
        sound = self._prepare(waveform, sample_rate_hz, channel=channel)
        policy = self.manifest.window
        return [
            self._verdict(
                self._score_at(sound, begin), begin, min(begin + policy.window_samples, len(sound))
            )
            for begin in starts(len(sound), policy)
        ]

    def batch(
        self, recordings: Iterable[tuple[NDArray[Any], int]], *, channel: Channel = None
    ) -> list[Verdict]:
        """(samples, rate) of several recordings -> a verdict each, the same as one by one."""
        return [self(waveform, rate, channel=channel) for waveform, rate in recordings]

    def scores(self, windows: Waveform) -> NDArray[np.float64]:
        """Windows [B, window_samples] at the detector's rate -> calibrated scores [B].

        Windows go through the graph one by one: on one thread a batch is no faster, and so no
        window's score can depend, not in the last bit, on the company it came in.
        """
        logits = np.concatenate([self._session.logits(window[None]) for window in windows])
        if not np.isfinite(logits).all():
            raise BundleError(
                f"{self._session.source} answered with a number that is not finite on sound that "
                "is. The model is broken on this machine: run earlet verify on its bundle."
            )
        return scores(logits, self.manifest)

    def _prepare(
        self, waveform: NDArray[Any], sample_rate_hz: int, *, channel: Channel
    ) -> Waveform:
        """Any accepted recording -> waveform [T] at the detector's rate."""
        check_rate(sample_rate_hz)
        mono = as_waveform(waveform, channel=channel)
        check_length(mono, self.manifest.window, sample_rate_hz=sample_rate_hz, to_hz=self._rate_hz)
        return resample(mono, sample_rate_hz, self._rate_hz)

    def _score_at(self, sound: Waveform, begin: int) -> float | None:
        """The score of the window that begins there; None where it holds nothing but silence."""
        window = fit(sound[begin:], self.manifest.window)
        if level_dbfs(window) < self.manifest.silence_dbfs:
            return None
        return float(self.scores(window[None])[0])

    def _verdict(self, score: float | None, begin: int, end: int) -> Verdict:
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

    @property
    def _rate_hz(self) -> int:
        return self.manifest.sample_rate_hz


def label(score: float, manifest: Manifest) -> str:
    """The positive label from the threshold on; below it the other, or `not POSITIVE` of many."""
    if score >= manifest.threshold:
        return manifest.positive
    others = [name for name in manifest.labels if name != manifest.positive]
    return others[0] if len(others) == 1 else f"not {manifest.positive}"
