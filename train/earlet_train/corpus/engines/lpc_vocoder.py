"""A09: the vocoder of early telephony, 18 poles excited by pulses or noise."""

from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.linear_prediction import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    Array,
    filtered,
    framed,
    overlap_added,
    predictors,
)
from earlet_train.corpus.pitch import pitch_hz

ORDER = 18
EMPHASIS = 0.95


class LpcVocoder:
    """LPC-10's principle at 16 kHz: per frame a filter, a gain, and a pitch or the word 'noise'."""

    id = "A09"
    name = "LPC-18 pulse/noise vocoder"
    family = "classical vocoder"
    method: Method = "copy"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it copies any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source through the vocoder, a little breath mixed into the pulses."""
        from scipy.signal import lfilter

        if request.source is None:
            return None
        x = request.source.waveform.astype(np.float64)
        emphasized = lfilter([1.0, -EMPHASIS], [1.0], x)
        coefficients, power = predictors(framed(emphasized), order=ORDER)
        breath = request.rng.uniform(0.05, 0.3)
        source = _excitation(request.source.waveform, breath=breath, rng=request.rng)
        frames = framed(source)
        gain = np.sqrt(power / np.maximum(np.sum(frames**2, axis=1), 1e-9))
        voiced = filtered(frames * gain[:, None], zeros=None, poles=coefficients)
        made = lfilter([1.0], [1.0, -EMPHASIS], overlap_added(voiced, samples=len(x)))
        return Spoken(
            waveform=np.asarray(made, np.float32),
            sample_rate_hz=SAMPLE_RATE_HZ,
            voice=request.source.speaker,
        )


def _excitation(waveform: np.ndarray, *, breath: float, rng: np.random.Generator) -> Array:
    """Waveform [T] -> [T]: one pulse per period where voiced, noise elsewhere, unit power."""
    f0_hz = pitch_hz(waveform, hop_s=HOP_SAMPLES / SAMPLE_RATE_HZ)
    place = np.minimum(np.arange(len(waveform)) // HOP_SAMPLES, len(f0_hz) - 1)
    pitch = f0_hz[place]
    noise = rng.standard_normal(len(waveform))
    turns = np.cumsum(pitch / SAMPLE_RATE_HZ)
    strikes = np.diff(np.floor(turns), prepend=0.0) > 0
    pulses = np.where(strikes, np.sqrt(SAMPLE_RATE_HZ / np.maximum(pitch, 1.0)), 0.0)
    return np.where(pitch > 0, np.sqrt(1 - breath**2) * pulses + breath * noise, noise)
