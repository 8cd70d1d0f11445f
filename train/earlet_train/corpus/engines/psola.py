"""A10: voice conversion in the waveform domain, Praat's pitch-synchronous overlap-add."""

from pathlib import Path

import numpy as np

from earlet.errors import MissingExtra
from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.conversion import draw_conversion, top_band_restored
from earlet_train.corpus.pitch import CEILING_HZ, FLOOR_HZ

SAMPLE_RATE_HZ = 16_000


class Psola:
    """Praat's "Change gender": formants by resampling, pitch and duration by PSOLA."""

    id = "A10"
    name = "PSOLA conversion (Praat)"
    family = "waveform-domain conversion"
    method: Method = "vc"
    splits: tuple[str, ...] = ("dev",)
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it converts any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source's words at another pitch, by a smaller or larger vocal tract."""
        try:
            import parselmouth
            from parselmouth.praat import call, run
        except ModuleNotFoundError as error:
            raise MissingExtra(module="praat-parselmouth", extra="corpus") from error
        if request.source is None:
            return None
        goal = draw_conversion(request.source.waveform, request.rng)
        sound = parselmouth.Sound(request.source.waveform.astype(np.float64), SAMPLE_RATE_HZ)
        seed = int(request.rng.integers(2**31))  # Praat draws where voiceless pieces are cut
        try:
            run(f"random_initializeWithSeedUnsafelyButPredictably({seed})")
            pitch = call(sound, "To Pitch", 0.0, FLOOR_HZ, CEILING_HZ)
            median_hz = call(pitch, "Get quantile", 0.0, 0.0, 0.5, "Hertz")
            if not np.isfinite(median_hz):
                return None
            made = call(
                [sound, pitch], "Change gender", goal.formants, median_hz * goal.pitch, 1.0, 1.0
            )
        except parselmouth.PraatError:
            return None
        return Spoken(
            waveform=top_band_restored(
                np.asarray(made.values[0], np.float32),
                request.source.waveform,
                factor=goal.formants,
            ),
            sample_rate_hz=round(made.sampling_frequency),
            voice=request.source.speaker,
        )
