"""Holds a streaming graph, on this machine, against the offline graph of the same bundle."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earlet.bundle import Bundle
from earlet.golden import signals
from earlet.resample import Waveform
from earlet.scores import scores
from earlet.stream_session import StreamSession

# Both graphs compute the same, and where the bundle was made they agreed to `max_abs_logit` of its
# manifest. Another processor may round a chunk's products otherwise than a window's; in integers a
# feature then falls on the other side of a step now and then, which moved logits by 0.001 on Arm.
FLOAT_MARGIN, INTEGER_MARGIN = 1e-4, 0.05


@dataclass(frozen=True, kw_only=True)
class StreamReplay:
    """How far a stream is from the windows of the golden signals, one after the other as one sound.

    `max_abs_logit`: over all `windows`; infinite where a logit is not finite. `flips`: windows
    whose side of the threshold differs. `ok`: within `tolerance`.
    """

    precision: str
    windows: int
    max_abs_logit: float
    flips: int
    tolerance: float
    ok: bool


def replay_stream(
    bundle: Bundle, precision: str | None = None, threads: int = 1
) -> StreamReplay | None:
    """The golden signals as one sound through both graphs. None: this precision does not stream.

    Raises BundleError, UsageError.
    """
    precision = bundle.precision(precision)
    manifest = bundle.manifest
    session = bundle.stream_session(precision, threads=threads)
    if session is None or manifest.stream is None:
        return None
    waves = signals(window=manifest.window, sample_rate_hz=manifest.sample_rate_hz)
    sound = np.concatenate(list(waves.values()))
    found = window_logits(
        session,
        sound,
        lead_samples=manifest.stream.lead_samples,
        warmup_chunks=manifest.stream.warmup_chunks,
    )
    offline = bundle.session(precision, threads=threads)
    window, hop = manifest.window.window_samples, manifest.stream.chunk_samples
    starts = range(0, len(sound) - window + 1, hop)[: len(found)]
    wanted = np.concatenate([offline.logits(sound[None, at : at + window]) for at in starts])
    found = found[: len(wanted)]
    away = np.abs(found.astype(np.float64) - wanted.astype(np.float64)).max(axis=1)
    worst = float(np.where(np.isfinite(away), away, np.inf).max())
    sides = [scores(logits, manifest) >= manifest.threshold for logits in (found, wanted)]
    integers = any(state.dtype != "float32" for state in session.states)
    proven = manifest.stream.graphs[precision].max_abs_logit
    tolerance = proven + (INTEGER_MARGIN if integers else FLOAT_MARGIN)
    return StreamReplay(
        precision=precision,
        windows=len(wanted),
        max_abs_logit=worst,
        flips=int((sides[0] != sides[1]).sum()),
        tolerance=tolerance,
        ok=worst <= tolerance,
    )


def window_logits(
    session: StreamSession, sound: Waveform, *, lead_samples: int, warmup_chunks: int
) -> NDArray[np.float32]:
    """Sound [T] from its beginning -> logits [S, K] of its windows at 0, chunk, 2 chunk, ..."""
    buffers, size = session.buffers(), session.chunk_samples
    led = np.concatenate([np.zeros(lead_samples, np.float32), sound])
    answers = []
    for start in range(0, len(led) - size + 1, size):
        buffers.waveform[0] = led[start : start + size]
        buffers.run([0])
        answers.append(buffers.logits[0].copy())
    return np.stack(answers[warmup_chunks:])
