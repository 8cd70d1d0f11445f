"""A11: voice conversion by waveform filtering, a differential filter over the recording."""

from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.conversion import draw_conversion, top_band_restored
from earlet_train.corpus.engines.linear_prediction import (
    SAMPLE_RATE_HZ,
    filtered,
    framed,
    overlap_added,
    predictors,
    warped_predictors,
)
from earlet_train.corpus.engines.time_scale import played_faster, stretched

ORDER = 24


class WaveformFiltering:
    """The recording itself, filtered by A_source(z) / A_target(z) anew every 6 ms.

    Kobayashi et al. 2014 (direct waveform modification by spectral differential), with all-pole
    envelopes. Pitch changes as on a tape, tempo with it, so nothing is cut or resynthesized; the
    filter then puts the formants where the target's are.
    """

    id = "A11"
    name = "waveform filtering conversion"
    family = "differential filtering"
    method: Method = "vc"
    splits: tuple[str, ...] = ("eval",)
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it converts any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source's words at another pitch and tempo, by another vocal tract."""
        if request.source is None:
            return None
        goal = draw_conversion(request.source.waveform, request.rng)
        # Half of the drawn interval: a tempo twenty per cent off would be heard as such.
        pitch = float(np.sqrt(goal.pitch))
        x = played_faster(request.source.waveform.astype(np.float64), pitch)
        frames = framed(x)
        before, power = predictors(frames, order=ORDER)
        after, _ = warped_predictors(before, power, goal.formants / pitch)
        made = filtered(frames, zeros=before, poles=after)
        # The filter moves power about: every frame keeps what it had.
        loudness = np.sqrt(np.sum(frames**2, axis=1) / np.maximum(np.sum(made**2, axis=1), 1e-9))
        modified = np.asarray(overlap_added(made * loudness[:, None], samples=len(x)), np.float32)
        slower = np.asarray(stretched(request.source.waveform.astype(np.float64), 1 / pitch))
        return Spoken(
            waveform=top_band_restored(modified, slower.astype(np.float32), factor=pitch),
            sample_rate_hz=SAMPLE_RATE_HZ,
            voice=request.source.speaker,
        )
