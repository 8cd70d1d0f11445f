"""A07: voice conversion by spectral filtering, the envelope moved, the source's phase kept."""

from pathlib import Path

import numpy as np

from earlet_train.corpus.engine import Method, Request, Spoken
from earlet_train.corpus.engines.conversion import draw_conversion, top_band_restored
from earlet_train.corpus.engines.linear_prediction import (
    N_FFT,
    SAMPLE_RATE_HZ,
    Array,
    framed,
    overlap_added,
)
from earlet_train.corpus.engines.time_scale import repitched

LIFTER = 40  # cepstral coefficients of the envelope: 2.5 ms, below one period of most voices
LARGEST_GAIN = 6.0  # natural log of magnitude: 26 dB either way, halved below


class SpectralFiltering:
    """Pitch by WSOLA and resampling, formants by a gain on every frame's magnitude spectrum.

    No vocoder: nothing is resynthesized from parameters (Kobayashi 2018's idea, spectral form).
    """

    id = "A07"
    name = "spectral filtering conversion"
    family = "VTLN-warped envelope"
    method: Method = "vc"
    splits: tuple[str, ...] = ("train", "dev", "eval")
    packages: tuple[str, ...] = ()
    share = 1.0

    def languages(self, split: str) -> tuple[str, ...]:
        """None: it converts any speech."""
        return ()

    def synthesize(self, request: Request, store: Path) -> Spoken | None:
        """The source's words at another pitch, by a smaller or larger vocal tract."""
        if request.source is None:
            return None
        goal = draw_conversion(request.source.waveform, request.rng)
        x = repitched(request.source.waveform.astype(np.float64), goal.pitch)
        frames = framed(x)
        spectra = np.fft.rfft(frames, N_FFT)
        envelope = cepstral_envelope(np.abs(spectra))
        # Formants went with the pitch already: what is left to do is the ratio of the two.
        place = np.arange(envelope.shape[1]) * goal.pitch / goal.formants
        place = np.minimum(place, envelope.shape[1] - 1)
        low = np.minimum(place.astype(np.int64), envelope.shape[1] - 2)
        share = place - low
        wanted = envelope[:, low] * (1 - share) + envelope[:, low + 1] * share
        gain = np.exp(np.clip(wanted - envelope, -LARGEST_GAIN / 2, LARGEST_GAIN / 2))
        made = overlap_added(np.fft.irfft(spectra * gain, N_FFT), samples=len(x))
        return Spoken(
            waveform=top_band_restored(
                np.asarray(made, np.float32), request.source.waveform, factor=goal.pitch
            ),
            sample_rate_hz=SAMPLE_RATE_HZ,
            voice=request.source.speaker,
        )


def cepstral_envelope(magnitude: Array) -> Array:
    """Magnitudes [N, F] -> natural log of their smooth envelope [N, F], by cepstral liftering."""
    cepstrum = np.fft.irfft(np.log(np.maximum(magnitude, 1e-6)))
    cepstrum[:, LIFTER:-LIFTER] = 0
    return np.asarray(np.fft.rfft(cepstrum).real)
