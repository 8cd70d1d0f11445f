"""Whether a stream says what the detector says of each window, however its sound is cut."""

from collections.abc import Iterable, Iterator

import numpy as np

from earlet.detector import Detector
from earlet.replay_stream import FLOAT_MARGIN, INTEGER_MARGIN, window_logits
from earlet.resample import Waveform
from earlet.stream_session import StreamSession
from earlet.streaming import Streaming
from earlet.verdict import Verdict
from earlet_bench.stream_rows import Agreement, Cut

# Pieces of one sample cost far more than their sound: so many chunks of verdicts must do.
_CHUNKS_SAMPLE_BY_SAMPLE = 24


def agreement(
    detector: Detector, session: StreamSession, streaming: Streaming, sound: Waveform
) -> Agreement:
    """Sound [T] through the streaming graph and, window by window, through the offline one."""
    found = window_logits(
        session,
        sound,
        lead_samples=streaming.lead_samples,
        warmup_chunks=streaming.warmup_chunks,
    )
    starts = _starts(detector, streaming, sound)[: len(found)]
    offline = detector.bundle.session(detector.precision)
    window = detector.manifest.window.window_samples
    wanted = np.concatenate([offline.logits(sound[None, at : at + window]) for at in starts])
    away = np.abs(found[: len(wanted)].astype(np.float64) - wanted).max(axis=1)
    worst = float(away.max())
    told = heard(detector, sound, piece_samples=streaming.chunk_samples)
    judged = windows(detector, sound, starts)
    tolerance = tolerated(detector, session, streaming)
    return Agreement(
        windows=len(wanted),
        max_abs_logit=worst if np.isfinite(worst) else None,
        tolerance=tolerance,
        identical=int((away == 0).sum()),
        differ=differing(told, judged),
        passed=worst <= tolerance,
    )


def cuts(detector: Detector, streaming: Streaming, sound: Waveform) -> tuple[Cut, ...]:
    """The same sound [T] in pieces from one sample to ten seconds, against pieces of one chunk."""
    rate_hz, chunk = detector.manifest.sample_rate_hz, streaming.chunk_samples
    reference = heard(detector, sound, piece_samples=chunk)
    few = (streaming.warmup_chunks + 1 + _CHUNKS_SAMPLE_BY_SAMPLE) * chunk
    found = []
    for piece in (1, 37, rate_hz // 100, chunk, 10 * rate_hz):
        given = sound[:few] if piece == 1 else sound
        told = heard(detector, given, piece_samples=piece)
        wanted = reference[: len(told)] if piece == 1 else reference
        found.append(
            Cut(
                piece_samples=piece,
                sound_s=len(given) / rate_hz,
                verdicts=len(told),
                identical=bool(told) and told == wanted,
            )
        )
    return tuple(found)


def heard(detector: Detector, sound: Waveform, *, piece_samples: int) -> list[Verdict]:
    """What a fresh exact stream says of a sound [T] given in pieces, before it is finished."""
    stream = detector.stream(kind="exact")
    rate_hz = detector.manifest.sample_rate_hz
    told: list[Verdict] = []
    for piece in pieces(sound, piece_samples):
        told += stream.accept(piece, rate_hz)
    return told


def pieces(sound: Waveform, samples: int) -> Iterator[Waveform]:
    """Sound [T] -> its pieces, the last one shorter."""
    return (sound[start : start + samples] for start in range(0, len(sound), samples))


def windows(detector: Detector, sound: Waveform, starts: Iterable[int]) -> list[Verdict]:
    """What the detector says of the windows of a sound [T] that begin there."""
    window = detector.manifest.window.window_samples
    return [
        detector.verdict(detector.score(sound[at : at + window]), at, at + window) for at in starts
    ]


def differing(some: list[Verdict], others: list[Verdict]) -> int:
    """Verdicts with another label, or of another part of the sound; scores may round."""
    parts = ((v.label, v.status, v.start_s, v.end_s) for v in some)
    return sum(
        part != (v.label, v.status, v.start_s, v.end_s)
        for part, v in zip(parts, others, strict=True)
    )


def tolerated(detector: Detector, session: StreamSession, streaming: Streaming) -> float:
    """How far a logit may be from the offline one: as far as at export, and a machine's margin."""
    integers = any(state.dtype != "float32" for state in session.states)
    proven = streaming.graphs[detector.precision].max_abs_logit
    return proven + (INTEGER_MARGIN if integers else FLOAT_MARGIN)


def _starts(detector: Detector, streaming: Streaming, sound: Waveform) -> range:
    last = len(sound) - detector.manifest.window.window_samples
    return range(0, last + 1, streaming.chunk_samples)
