"""A08: voice conversion with WORLD, pitch scaled and spectral envelope stretched."""

from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.conversion import draw_conversion
from earlet_train.corpus.pitch import CEILING_HZ, FLOOR_HZ
from earlet_train.corpus.world import world

SAMPLE_RATE_HZ = 16_000
FRAME_MS = 5.0


class WorldConversion:
    """WORLD with all pitches multiplied and all envelopes read at f / factor."""

    id = "A08"
    name = "WORLD voice conversion"
    family = "vocoder conversion"
    method: Method = "vc"
    splits: tuple[str, ...] = ("eval",)
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it converts any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source's words by a higher or lower, smaller or larger speaker."""
        if request.source is None:
            return None
        x = request.source.waveform.astype(np.float64)
        goal = draw_conversion(request.source.waveform, request.rng)
        rough, times = world().dio(
            x, SAMPLE_RATE_HZ, f0_floor=FLOOR_HZ, f0_ceil=CEILING_HZ, frame_period=FRAME_MS
        )
        f0_hz = world().stonemask(x, rough, times, SAMPLE_RATE_HZ)
        envelope = world().cheaptrick(x, f0_hz, times, SAMPLE_RATE_HZ)
        breath = world().d4c(x, f0_hz, times, SAMPLE_RATE_HZ)
        made = world().synthesize(
            f0_hz * goal.pitch,
            np.exp(_moved(np.log(envelope), goal.formants)),
            _moved(breath, goal.formants),
            SAMPLE_RATE_HZ,
            FRAME_MS,
        )
        return Spoken(
            waveform=np.asarray(made[: len(x)], np.float32),
            sample_rate_hz=SAMPLE_RATE_HZ,
            voice=request.source.speaker,
        )


def _moved(frames: np.ndarray, factor: float) -> np.ndarray:
    """Frames [N, F] -> [N, F], each read at bin / factor; the last bin holds beyond the end."""
    place = np.minimum(np.arange(frames.shape[1]) / factor, frames.shape[1] - 1)
    low = np.minimum(place.astype(np.int64), frames.shape[1] - 2)
    share = place - low
    return np.ascontiguousarray(frames[:, low] * (1 - share) + frames[:, low + 1] * share)
